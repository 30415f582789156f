"""Several workers of one gateway, each a process of its own, without a Redis: a key's limits hold across them."""

import asyncio
import json
from collections import Counter
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from gateway.state import spent_in
from gateway.upstreams.fake import FakeProvider
from tests.end_to_end.conftest import paretogate, start
from tests.end_to_end.test_chaos import BODY
from tests.gateway.running import CHAT

pytestmark = pytest.mark.loopback


async def test_two_workers_count_one_rate_and_spend_one_budget(tmp_path: Path) -> None:
    state = tmp_path / "state"
    limits = ("--tenant", "acme", "--requests-per-minute", "9", "--budget-usd-per-day", "1", "--json")
    made = json.loads((await asyncio.to_thread(paretogate, "keys", "create", *limits, state=state)).stdout)
    key = {"authorization": f"Bearer {made['key']}"}

    async def ask(url: str) -> httpx.Response:
        async with httpx.AsyncClient(timeout=60) as client:  # a connection each, so that both workers get some
            return await client.post(f"{url}{CHAT}", json=BODY, headers=key)

    async with FakeProvider() as provider:
        price = {"input": 0.1, "output": 0.2}
        backend = {"id": "fake", "profile": "gpt-4o-mini", "kind": "openai", "base_url": provider.url, "price": price}
        more = {"PARETOGATE_BACKENDS": json.dumps([backend]), "PARETOGATE_EMBEDDED__ENABLED": "off"}
        gateway = await asyncio.to_thread(start, state, "--workers", "2", more=more)
        try:
            answers = await asyncio.gather(*(ask(gateway.url) for _ in range(24)))
        finally:
            await asyncio.to_thread(gateway.stop)
    assert Counter(answer.status_code for answer in answers) == {200: 9, 429: 15}
    billed = sum(Decimal(answer.headers["x-paretogate-cost-usd"]) for answer in answers if answer.status_code == 200)
    ((_, spent),) = spent_in(state / "limits").items()
    assert set(spent.values()) == {int(billed * 10**9)}  # of the day and of the month
