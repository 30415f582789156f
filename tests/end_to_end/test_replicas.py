"""Two gateways in processes of their own, one real Redis or a cluster of three: what they share holds across both."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import httpx
import numpy as np
import pytest
from redis.cluster import RedisCluster

from gateway.tools.calls.learning import read_learned
from gateway.upstreams.fake import FakeProvider
from predictors.tools import UsageStatistics
from tests.end_to_end.conftest import Gateway, paretogate, start
from tests.gateway.state.clusters import redis_cluster
from tests.gateway.state.servers import RedisServer
from tests.gateway.tools.offers import function
from tests.waiting import AT_MOST_S

pytestmark = pytest.mark.loopback


@dataclass
class Shared:
    """What both replicas are told, and a look at what they wrote."""

    settings: dict[str, str]
    read: Callable[[str], dict[bytes, bytes]]  # names and values that match


@pytest.fixture(params=["one server", "a cluster"])
def shared(request: pytest.FixtureRequest, redis_installed: None, tmp_path: Path) -> Iterator[Shared]:
    if request.param == "one server":
        server: RedisServer = request.getfixturevalue("redis_server")
        found = {"PARETOGATE_STATE__URL": server.url}
        with server.client() as redis:
            yield Shared(found, lambda pattern: {name: redis.get(name) for name in redis.keys(pattern)})
        return
    with redis_cluster(tmp_path) as cluster:
        client = RedisCluster.from_url(cluster.url)
        found = {"PARETOGATE_STATE__URL": cluster.url, "PARETOGATE_STATE__CLUSTER": "true"}
        yield Shared(
            found, lambda pattern: {name: client.get(name) for name in client.keys(pattern, target_nodes="primaries")}
        )
        client.close()


@asynccontextmanager
async def two_replicas(tmp_path: Path, shared: Shared, **more: str) -> AsyncIterator[list[Gateway]]:
    """Before one fake provider, with one state directory, as replicas share their key file; each its own journal."""
    async with FakeProvider() as provider:
        backend = {
            "id": "fake",
            "profile": "openai/gpt-4o-mini",
            "kind": "openai",
            "base_url": provider.url,
            "price": {"input": 0.1, "output": 0.2},
        }
        both = {
            "PARETOGATE_BACKENDS": json.dumps([backend]),
            "PARETOGATE_EMBEDDED__ENABLED": "off",
            **shared.settings,
            "PARETOGATE_STATE__TIMEOUT_MS": "10000",
            **more,
        }
        journals = [{"PARETOGATE_JOURNAL__URL": f"sqlite:///{tmp_path / f'{name}.sqlite3'}"} for name in ("one", "two")]
        state = tmp_path / "state"
        replicas = [await asyncio.to_thread(start, state, more={**both, **journal}) for journal in journals]
        try:
            yield replicas
        finally:
            for replica in replicas:
                await asyncio.to_thread(replica.stop)


async def test_two_replicas_spend_one_budget_and_count_one_rate(tmp_path: Path, shared: Shared) -> None:
    state = tmp_path / "state"
    limits = ("--requests-per-minute", "9", "--budget-usd-per-day", "1")
    create = ("keys", "create", "--tenant", "acme", *limits, "--json")
    made = json.loads((await asyncio.to_thread(paretogate, *create, state=state)).stdout)
    async with (
        two_replicas(tmp_path, shared, PARETOGATE_AUTH__REQUIRED="true") as replicas,
        httpx.AsyncClient(timeout=AT_MOST_S, headers={"authorization": f"Bearer {made['key']}"}) as client,
    ):
        body = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}
        began_s = time.monotonic()
        answers = await asyncio.gather(
            *(client.post(f"{replicas[i % 2].url}/v1/chat/completions", json=body) for i in range(24))
        )
        took_s = time.monotonic() - began_s
    spent_nano = sum(int(spent) for spent in shared.read("*:usd:????-??").values())
    statuses = Counter(answer.status_code for answer in answers)
    # nine, and one more for every 6.7 s that a busy machine takes
    assert 9 <= statuses[200] <= 9 + int(took_s * 9 / 60)
    assert statuses[429] == 24 - statuses[200]
    billed = sum(Decimal(answer.headers["x-paretogate-cost-usd"]) for answer in answers if answer.status_code == 200)
    assert spent_nano == billed * 1_000_000_000


@pytest.mark.parametrize("shared", ["one server"], indirect=True)
async def test_what_two_replicas_saw_called_is_learned_by_both_once_and_in_any_order(
    tmp_path: Path, shared: Shared
) -> None:
    """Each replica observes its own calls and refines its own journal; the sums of both are what either serves by."""
    state = tmp_path / "state"
    tools = [function("book_train", "Books a seat on a train."), function("get_weather", "Tells the weather.")]
    (tmp_path / "office.json").write_text(json.dumps(tools), encoding="utf-8")
    imported = await asyncio.to_thread(
        paretogate, "tools", "import", str(tmp_path / "office.json"), "--name", "office", state=state
    )
    assert imported.returncode == 0, imported.stderr
    folder = state / "tools" / "usage"
    each_refines = {"PARETOGATE_LEARNING__REFINE_EVERY_S": "0.2"}  # its own journal
    async with (
        two_replicas(tmp_path, shared, **each_refines) as replicas,
        httpx.AsyncClient(timeout=AT_MOST_S) as client,
    ):
        for number in range(12):  # four calls of the train by the first replica, eight by the second
            body = {"model": "openai/gpt-4o-mini", "messages": called("book_train", f"Go to town {number}.")}
            body["routing"] = {"tools": {"set": "office"}}
            answer = await client.post(f"{replicas[number % 3 > 0].url}/v1/chat/completions", json=body)
            assert answer.status_code == 200, answer.text
        learned = await until(lambda: read_learned(folder, "office"), {"book_train": 12})
    files = sorted((folder / "office").glob("*.npz"))
    one, two = (UsageStatistics.from_arrays(np.load(file)) for file in files)
    assert sorted(part.n_events()["book_train"] for part in (one, two)) == [4, 8]
    for merged in (one.merge(two), two.merge(one), one.merge(two).merge(one)):
        for name, array in merged.to_arrays().items():
            assert np.array_equal(array, learned.to_arrays()[name]), name


def called(tool: str, asked: str) -> list[dict[str, object]]:
    """A conversation that brings back a call's result."""
    call = {"id": "c1", "type": "function", "function": {"name": tool, "arguments": "{}"}}
    return [
        {"role": "user", "content": asked},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "Done."},
    ]


async def until(read: Callable[[], UsageStatistics | None], events: dict[str, int]) -> UsageStatistics:
    """What is learned as soon as it counts so many events."""
    async with asyncio.timeout(AT_MOST_S):
        while (found := await asyncio.to_thread(read)) is None or found.n_events() != events:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    return found
