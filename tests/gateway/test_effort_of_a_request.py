"""What one request costs, in calls: a clock would not show the hundredth that each change adds to it.

Within two days many such had added up to a tenth (docs/speed-studies.md). Whoever has a good reason to call more may
raise the bound, knowing it.
"""

import asyncio
from dataclasses import replace
from pathlib import Path

from catalog import Backend, Catalog
from gateway.dispatch import Clocks
from gateway.keys import KeyFile, KeyRing
from gateway.parts import Binder
from gateway.rehearsal import Rehearsal
from gateway.settings import Settings
from tests.effort import counting_calls
from tests.gateway.test_rehearsal import outcomes

MOST_CALLS = 1_230  # 1,199 at the time; of a lone request: in company, decisions share theirs
N_REQUESTS = 20


async def test_a_short_chat_among_twenty_candidates_is_answered_in_so_many_calls(tmp_path: Path) -> None:
    settings, catalog = Settings(state={"dir": tmp_path}), Catalog.load()
    priced = [p for p in catalog if p.price is not None and p.ability and (p.context_tokens or 0) > 16_000]
    one = Backend(id="b", profile_id="p", kind="openai", provider="maker", model_name="m", base_url="http://h/v1")
    binder = Binder(settings, catalog)
    serving = binder(tuple(replace(one, id=p.id, profile_id=p.id, provider=p.owner) for p in priced[:20]))
    clocks = Clocks(wall=lambda: 1_700_000_000.0, monotonic=lambda: 0.0)
    keys = KeyRing(KeyFile(tmp_path / "keys.json"), clock=clocks.monotonic, wall=clocks.wall)
    rehearsal = Rehearsal(lambda: serving, make_serving=binder, keys=keys, clocks=clocks)

    async def answer_one() -> None:
        ended = asyncio.get_running_loop().create_future()
        rehearsal(lambda: ended.set_result(None))
        await ended

    await answer_one()  # what is remembered from then on, is no cost of each
    with counting_calls() as so_far:
        for _ in range(N_REQUESTS):
            await answer_one()
    assert outcomes(rehearsal.telemetry) == {"ok": N_REQUESTS + 1.0}
    assert so_far() / N_REQUESTS < MOST_CALLS, so_far() / N_REQUESTS
