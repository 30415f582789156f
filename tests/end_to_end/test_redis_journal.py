"""Two gateways write to one stream in a real Redis, and one collector fills the file that is learned from."""

import asyncio
import json
import signal
from contextlib import AsyncExitStack, closing
from pathlib import Path

import httpx
import pytest

from gateway.journal import JournalReader
from gateway.promotion import SharedPredictors
from gateway.refinement import read_measured
from gateway.settings import Settings
from gateway.upstreams.fake import FakeProvider
from predictors.parcel import Parcel
from predictors.versions import PredictorVersions
from tests.end_to_end.conftest import Gateway, paretogate
from tests.end_to_end.test_chaos import BODY, a_client, a_gateway
from tests.gateway.promotion.replicas import variant
from tests.gateway.running import CHAT
from tests.gateway.state.servers import RedisServer
from tests.waiting import AT_MOST_S

pytestmark = pytest.mark.loopback

PLANTED = "zanzibar7391"
N_EACH = 12


async def stream_metrics(client: httpx.AsyncClient, n_records: int) -> str:
    """What a gateway says of the stream as soon as it has heard of so many records."""
    told = ""
    async with asyncio.timeout(AT_MOST_S):
        while f'paretogate_journal_stream{{fact="records"}} {n_records}.0' not in told:
            told = (await client.get("/metrics")).text
            await asyncio.sleep(0.1)
    return told


def promoted(state: Path, url: str) -> None:
    """A predictor for all who share the journal."""
    shared = SharedPredictors(Settings(state={"dir": state}, journal={"url": url}))  # type: ignore[arg-type]
    with closing(shared):
        assert shared.promote(Parcel.of(variant(state.parent, "first")), {}) == 1


async def heard(gateway: Gateway, event: str) -> None:
    """Until it has logged that."""
    async with asyncio.timeout(AT_MOST_S):
        while event not in gateway.log.read_text(encoding="utf-8"):  # noqa: ASYNC110 - it is seen from outside
            await asyncio.sleep(0.1)


@pytest.mark.usefixtures("redis_installed")
async def test_what_two_gateways_answered_is_collected_once_and_learned_from_and_no_password_is_told(
    tmp_path: Path,
) -> None:
    server = RedisServer(tmp_path / "redis", requirepass=PLANTED).start()
    shared = {
        "PARETOGATE_JOURNAL__URL": f"{server.url}?password={PLANTED}",
        "PARETOGATE_LEARNING__REFINE_EVERY_S": "0.1",  # which a replica does not do to a shared journal
    }
    states = [tmp_path / name for name in ("one", "two")]
    try:
        async with FakeProvider() as provider, AsyncExitStack() as stack:
            gateways = [await stack.enter_async_context(a_gateway(state, provider, shared)) for state in states]
            clients = [await stack.enter_async_context(a_client(gateway)) for gateway in gateways]
            answers = await asyncio.gather(*(client.post(CHAT, json=BODY) for client in clients * N_EACH))
            ids = {answer.headers["x-paretogate-decision-id"] for answer in answers}
            about = {"decision_id": min(ids), "value": True}
            for client in clients:  # said to both, it counts once
                assert (await client.post("/v1/feedback", json=about)).status_code == 200
            verdict = {"decision_id": max(ids), "verdict": "good_fit"}
            assert (await clients[0].post("/v1/router/outcomes", json=verdict)).status_code == 200
            metrics = await stream_metrics(clients[0], 4 * N_EACH + 3)
            shown = metrics + (await clients[0].get("/dashboard")).text
            refined = await asyncio.to_thread(paretogate, "refine", state=tmp_path / "worker", more=shared)
            await asyncio.to_thread(promoted, tmp_path / "worker", shared["PARETOGATE_JOURNAL__URL"])
            for gateway in gateways:
                await heard(gateway, "measured_facts_applied")
                await heard(gateway, "predictor_taken_up")
            await asyncio.to_thread(gateways[0].stop, signal.SIGKILL)
            assert await asyncio.to_thread(gateways[1].stop) == 0
        checked = await asyncio.to_thread(paretogate, "doctor", state=tmp_path / "worker", more=shared)
    finally:
        server.kill()
    assert 'paretogate_journal_stream{fact="limit"} 1e+06' in metrics
    assert refined.returncode == 0, refined.stderr
    measured = [read_measured(state / "measured.json")["fake"] for state in (tmp_path / "worker", *states)]
    assert [facts.n_calls for facts in measured] == [2 * N_EACH] * 3  # both replicas go by what both have seen
    assert [PredictorVersions(state / "predictors").in_force() for state in states] == [(1,)] * 2
    assert [state for state in states if list(state.glob("journal*"))] == []  # no replica keeps a file of its own
    with JournalReader(tmp_path / "worker" / "journal.sqlite3") as reader:
        calls = list(reader.calls())
        assert reader.counts() == {"decisions": 2 * N_EACH, "outcomes": 2 * N_EACH, "feedback": 2, "damaged": 0}
    assert {call.decision["decision_id"] for call in calls} == ids
    assert sum(len(call.feedback) for call in calls) == 2
    logs = "".join(gateway.log.read_text(encoding="utf-8") for gateway in gateways)
    for said in (logs, shown, refined.stdout + refined.stderr, checked.stdout + checked.stderr, json.dumps(about)):
        assert PLANTED not in said


async def test_requests_are_answered_while_the_journals_redis_is_away_and_that_is_told_without_its_password(
    tmp_path: Path,
) -> None:
    away = {"PARETOGATE_JOURNAL__URL": f"redis://:{PLANTED}@127.0.0.1:1/0"}
    async with FakeProvider() as provider, a_gateway(tmp_path / "state", provider, away) as gateway:
        async with a_client(gateway) as client:
            assert (await client.post(CHAT, json=BODY)).status_code == 200
        await asyncio.to_thread(gateway.stop)
    log = gateway.log.read_text(encoding="utf-8")
    assert "journal_store_failed" in log
    assert "ConnectionError" in log
    assert PLANTED not in log
    assert list((tmp_path / "state" / "spool").iterdir())  # for the next start
