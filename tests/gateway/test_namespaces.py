"""Installations that share one Redis database: apart where their namespaces differ, one where they do not."""

import asyncio
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.journal import JournalReader
from gateway.journal.collecting import collecting
from gateway.journal.opening import open_journal
from gateway.journal_store.stream import StreamStore
from gateway.promotion import SharedPredictors
from gateway.redis_keys import NAMESPACE, JournalKeys, check_namespace
from gateway.refinement.sharing import SharedFindings
from gateway.settings import InvalidSettingsError, Settings, load_settings
from gateway.state import Claim, Quota, RedisState
from predictors.parcel import Parcel
from tests.gateway.governance.test_governor import make_key
from tests.gateway.promotion.replicas import SHIPPED
from tests.gateway.running import pair
from tests.gateway.state.servers import RedisServer
from tests.waiting import AT_MOST_S

pytestmark = pytest.mark.loopback

PAIRS = [("team-a", "team-a:b", True), ("paretogate", "team-a", True), ("same", "same", False)]
APART_OR_ONE = pytest.mark.parametrize(("first", "second", "apart"), PAIRS)


def installation(folder: Path, server: RedisServer, namespace: str) -> dict[str, Any]:
    """Its settings: a state directory of its own, and the one Redis for all that can be there."""
    folder.mkdir(exist_ok=True)
    state = {"dir": folder, "url": server.url, "namespace": namespace, "timeout_ms": 10_000}
    return {"state": state, "journal": {"url": server.url}}


def settings_of(told: dict[str, Any]) -> Settings:
    return Settings(**told)


@contextmanager
def promoting(told: dict[str, Any]) -> Iterator[SharedPredictors]:
    with closing(SharedPredictors(settings_of(told))) as shared:
        yield shared


@APART_OR_ONE
async def test_two_gateways_see_nothing_of_each_others_limits_responses_and_records(
    tmp_path: Path, redis_server: RedisServer, first: str, second: str, apart: bool
) -> None:
    one = installation(tmp_path / "one", redis_server, first)
    other = installation(tmp_path / "other", redis_server, second)
    key = make_key(one["state"]["dir"], requests_per_minute=1)
    (other["state"]["dir"] / "keys.json").write_bytes((one["state"]["dir"] / "keys.json").read_bytes())
    journals = [open_journal(settings_of(told)) for told in (one, other)]
    async with (
        pair(one["state"]["dir"], settings=one, journal=journals[0]) as (here, _, __),
        pair(other["state"]["dir"], settings=other, journal=journals[1]) as (there, _, __),
    ):
        asked = {"model": "cheap", "input": "hi"}
        answer = await here.client.post("/v1/responses", json=asked, headers=key)
        again = await here.client.post("/v1/responses", json=asked, headers=key)
        elsewhere = await there.client.post("/v1/responses", json=asked, headers=key)
        kept = f"/v1/responses/{answer.json()['id']}"
        found = [(await gateway.client.get(kept, headers=key)).status_code for gateway in (here, there)]
    assert (answer.status_code, again.status_code) == (200, 429)
    assert elsewhere.status_code == (200 if apart else 429)
    assert found == [200, 404 if apart else 200]
    with redis_server.client() as client:
        names = [name.decode() for name in client.keys("*")]
    assert {name.partition(":{")[0] for name in names} == {first, second}
    counts = [await asyncio.to_thread(collected, told) for told in (one, other)]
    assert counts == [1, 1 if apart else 0]  # decisions; what is refused has none


def collected(told: dict[str, Any]) -> int:
    settings = settings_of(told)
    with collecting(settings, group=settings.state_dir.name, note=lambda *_, **__: None) as work:
        work.all()
    with JournalReader(settings.journal_path) as reader:
        return reader.counts()["decisions"]


@APART_OR_ONE
def test_what_is_promoted_and_learned_in_one_reaches_the_other_only_where_they_are_one(
    tmp_path: Path, redis_server: RedisServer, first: str, second: str, apart: bool
) -> None:
    one = installation(tmp_path / "one", redis_server, first)
    other = installation(tmp_path / "other", redis_server, second)
    (one["state"]["dir"] / "measured.json").write_text("{}")
    with promoting(one) as here, promoting(other) as there:
        here.promote(Parcel.of(SHIPPED), {})
        assert here.order() is not None
        assert (there.order() is None) is apart
        assert there.take_up() is not apart
    with closing(SharedFindings(settings_of(one))) as here, closing(SharedFindings(settings_of(other))) as there:
        assert here.publish() == 1
        assert there.fetch() == (0 if apart else 1)


async def test_in_a_cluster_too_each_has_its_own_and_keeps_it_on_one_shard(cluster_url: str) -> None:
    stores = [StreamStore(cluster_url, cluster=True, most_records=9, namespace=name) for name in ("a", "b:c")]
    for store in stores:
        store.take("w/1", 0, [b"{}"])  # a script over several keys, which a cluster refuses on several shards
        assert store.waiting == 1
        store.close()
    claim = Claim(holder="h", quota=Quota(requests_per_minute=1), wall_s=0.0, requests=1)
    for name in ("a", "b:c"):
        state = RedisState.at(cluster_url, timeout_s=AT_MOST_S, cluster=True, namespace=name)
        assert (await state.reserve(claim)).refused_by is None
        assert (await state.reserve(claim)).refused_by == "requests_per_minute"
        await state.close()


def test_where_nobody_names_one_keys_are_what_they_always_were() -> None:
    keys = JournalKeys(Settings().state.namespace)
    assert NAMESPACE == "paretogate"
    assert [keys.records, keys.positions, keys.groups] == [
        "paretogate:{journal}:records",
        "paretogate:{journal}:positions",
        "paretogate:{journal}:groups",
    ]
    assert [keys.learned, keys.learned_at] == ["paretogate:{journal}:learned", "paretogate:{journal}:learned-at"]
    assert [keys.predictors, keys.predictor(3)] == [
        "paretogate:{journal}:predictors",
        "paretogate:{journal}:predictor:3",
    ]


@pytest.mark.parametrize("name", ["a", "paretogate", "team-a:gateway", "A.b_c-9", "x" * 64])
def test_what_a_namespace_may_be(name: str) -> None:
    check_namespace(name)


@pytest.mark.parametrize("name", ["", "a{b}", "a}", "a*", "a b", "a\n", "ä", ":a", "a:", "x" * 65])
def test_a_namespace_that_would_break_hash_tags_or_patterns_is_refused_by_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidSettingsError, match=r"state\.namespace.*letters, digits"):
        load_settings(config=None, environ={"PARETOGATE_STATE__NAMESPACE": name}, folder=tmp_path)
