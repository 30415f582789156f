"""A real Redis Cluster: limits are exact wherever a key lives, and outlive moves and deaths of shards."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.settings import InvalidSettingsError, load_settings
from gateway.state import Claim, Grant, Quota, RedisState, Remembered, Settlement, StateUnavailableError
from router import SessionState
from tests.gateway.state.clusters import Cluster, redis_cluster
from tests.gateway.state.test_guarded import NOON
from tests.waiting import AT_MOST_S

pytestmark = pytest.mark.loopback

HOLDERS = [f"key-{i}" for i in range(30)]
QUOTA = Quota(requests_per_minute=5, budget_usd_per_day=1.0, max_concurrency=9)


@pytest.fixture
def cluster(redis_installed: None, tmp_path: Path) -> Iterator[Cluster]:
    with redis_cluster(tmp_path) as found:
        yield found


async def claimed(store: RedisState, holder: str) -> Grant | None:
    """What a claim got; None where its shard cannot be asked."""
    claim = Claim(holder=holder, quota=QUOTA, wall_s=NOON, requests=1, cost_usd=0.01, lease_id="a", session_id="s")
    try:
        return await store.reserve(claim)
    except StateUnavailableError:
        return None


async def test_everything_of_a_key_lies_on_one_shard_and_keys_are_spread_over_all(cluster: Cluster) -> None:
    store = RedisState.at(cluster.url, timeout_s=AT_MOST_S, cluster=True)
    kept = Remembered(session_id="s", state=SessionState(backend_id="b", cached_tokens=7), keep_s=60.0)
    for holder in HOLDERS:
        await claimed(store, holder)
        await store.settle(Settlement(holder=holder, quota=QUOTA, wall_s=NOON, remember=kept))
    shards = [{name.split("{")[1].split("}")[0] for name in names} for names in cluster.held()]
    again = await claimed(store, HOLDERS[0])
    await store.close()
    assert all(shards)
    assert sum(len(shard) for shard in shards) == len(set().union(*shards)) == len(HOLDERS)
    assert again is not None
    assert again.session == kept.state


async def test_two_replicas_share_each_limit_exactly(cluster: Cluster) -> None:
    replicas = [
        RedisState.at(f"redis://127.0.0.1:{port}", timeout_s=AT_MOST_S, cluster=True) for port in cluster.ports[:2]
    ]
    grants = await asyncio.gather(*(claimed(replicas[i % 2], holder) for i in range(8) for holder in HOLDERS))
    for replica in replicas:
        await replica.close()
    granted = [grant for grant in grants if grant is not None and grant.refused_by is None]
    assert len(grants) == 8 * len(HOLDERS)
    assert len(granted) == 5 * len(HOLDERS)


async def test_a_shard_that_moved_is_followed(cluster: Cluster) -> None:
    store = RedisState.at(cluster.url, timeout_s=AT_MOST_S, cluster=True)
    await claimed(store, HOLDERS[0])  # now it knows who has which slots
    for index in range(3):
        cluster.ask(index, "FLUSHALL")
    slots = {int(str(cluster.ask(0, "CLUSTER", "KEYSLOT", f"paretogate:{{{holder}}}:tokens"))) for holder in HOLDERS}
    at_first = [slot for slot in slots if slot < 16_384 // 3]
    for slot in at_first:
        cluster.move_slots(slot, slot, source=0, target=1)
    grants = [await claimed(store, holder) for holder in HOLDERS]
    left_behind = cluster.held()[0]
    await store.close()
    assert at_first
    assert all(grant is not None and grant.refused_by is None for grant in grants)
    assert left_behind == set()


@pytest.mark.parametrize("dead", [0, 2], ids=["the one that was named", "another"])
async def test_one_dead_shard_takes_its_own_keys_with_it_and_no_others(cluster: Cluster, dead: int) -> None:
    store = RedisState.at(cluster.url, timeout_s=AT_MOST_S, cluster=True)
    for holder in HOLDERS:
        await claimed(store, holder)
    held = [len({name.split("}")[0] for name in names}) for names in cluster.held()]
    cluster.kill(dead)
    for _ in range(2):
        grants = [await claimed(store, holder) for holder in HOLDERS]
        assert sum(grant is None for grant in grants) == held[dead]
    await store.close()


async def test_a_node_asked_as_if_it_were_alone_says_what_to_set(cluster: Cluster) -> None:
    store = RedisState.at(cluster.url, timeout_s=AT_MOST_S)
    claims = [store.reserve(Claim(holder=holder, quota=QUOTA, wall_s=NOON, requests=1)) for holder in HOLDERS]
    with pytest.raises(StateUnavailableError, match=r"state\.cluster = true"):
        await asyncio.gather(*claims)
    await store.close()


@pytest.mark.parametrize("url", ["memory://", "unix:///run/redis.sock", "redis://host:6379/3"])
def test_what_cannot_be_a_cluster_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(InvalidSettingsError, match="state: of a cluster, url names any node"):
        load_settings(environ={"PARETOGATE_STATE__URL": url, "PARETOGATE_STATE__CLUSTER": "true"})
