"""Running gateways with state directories of their own decide by what was promoted for all of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from catalog import Backend, Catalog
from gateway.app import build
from gateway.parts import Binder
from gateway.promotion import Order, Promoted
from gateway.redis_keys import JournalKeys
from gateway.settings import Settings
from predictors import BadArtefactError, Forecaster
from predictors.parcel import Parcel
from tests.gateway.running import CHAT, HI, ListJournal, RunningGateway, running
from tests.gateway.state.servers import RedisServer
from tests.waiting import AT_MOST_S

from .replicas import SHIPPED, Replica, variant

pytestmark = pytest.mark.loopback

CATALOG = Catalog.load()
WATCH_S = 0.05


def settings_of(state: Path, url: str, **more: object) -> dict[str, object]:
    return {"state": {"dir": state}, "journal": {"url": url}, "learning": {"watch_s": WATCH_S}, **more}


@asynccontextmanager
async def a_gateway(state: Path, url: str, **more: object) -> AsyncIterator[RunningGateway]:
    told = settings_of(state, url, **more)
    binder = Binder(Settings(**told), CATALOG)  # type: ignore[arg-type]
    one = Backend(id="b", profile_id="openai/gpt-4o", kind="openai", provider="openai", model_name="m")
    async with running(one, tmp_path=state, settings=told, make_serving=binder, promoted=binder) as gateway:
        yield gateway


async def decides(gateway: RunningGateway) -> str:
    told = await gateway.client.post(f"/routing{CHAT}", json={"model": "auto", "messages": HI})
    return str(told.json()["versions"]["predictor"])


async def decided_by(gateway: RunningGateway, predictor: Path | None) -> None:
    """Until it decides by this one; None is the one that ships."""
    wanted = Forecaster.load(predictor).version
    async with asyncio.timeout(AT_MOST_S):
        while await decides(gateway) != wanted:  # noqa: ASYNC110 - seen from outside only
            await asyncio.sleep(0.02)


async def shows(gateway: RunningGateway, metric: str) -> None:
    async with asyncio.timeout(AT_MOST_S):
        while metric not in (await gateway.client.get("/metrics")).text:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.02)


async def test_every_gateway_decides_by_what_was_promoted_elsewhere_and_one_that_starts_later_too(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    worker = Replica(tmp_path / "worker", redis_server.url)
    first, second = variant(tmp_path, "first"), variant(tmp_path, "second")
    async with AsyncExitStack() as stack:
        gateways = [
            await stack.enter_async_context(a_gateway(tmp_path / name, redis_server.url)) for name in ("one", "two")
        ]
        worker.promote(first)
        for gateway in gateways:
            await decided_by(gateway, first)
        worker.promote(second)
        gateways.append(await stack.enter_async_context(a_gateway(tmp_path / "later", redis_server.url)))
        for gateway in gateways:
            await decided_by(gateway, second)
        assert worker.shared.roll_back() == 1
        for gateway in gateways:
            await decided_by(gateway, first)
    for name in ("one", "two", "later"):
        assert Replica(tmp_path / name, redis_server.url).versions.in_force() == (1,)


async def test_one_that_is_refused_changes_nothing_and_is_told_by_a_metric_until_another_is_in_force(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    worker = Replica(tmp_path / "worker", redis_server.url)
    first = variant(tmp_path, "first")
    worker.promote(first)
    damaged = Parcel.of(SHIPPED)
    order = worker.shared.order()
    assert order is not None
    async with a_gateway(tmp_path / "one", redis_server.url) as gateway:
        await decided_by(gateway, first)
        await shows(gateway, 'paretogate_predictor_behind{place="replicas"} 0.0')
        with redis_server.client() as client:
            wrong = Order(last=2, in_force=(*order.in_force, Promoted(number=2, digest=damaged.digest)))
            client.set(JournalKeys().predictors, wrong.content)
        await shows(gateway, 'paretogate_predictor_behind{place="replicas"} 1.0')
        await asyncio.sleep(4 * WATCH_S)  # it is asked for again meanwhile, and not read again
        assert 'paretogate_predictor_behind{place="replicas"} 1.0' in (await gateway.client.get("/metrics")).text
        await decided_by(gateway, first)
        worker.shared.roll_back()
        await shows(gateway, 'paretogate_predictor_behind{place="replicas"} 0.0')
        await decided_by(gateway, first)


async def test_one_that_cannot_be_written_is_tried_again_and_told(
    redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.background._AWAY_S", WATCH_S)
    first = variant(tmp_path, "first")
    Replica(tmp_path / "worker", redis_server.url).promote(first)
    (lock := tmp_path / "one" / "predictors" / ".lock").mkdir(parents=True)  # nothing can be written there
    async with a_gateway(tmp_path / "one", redis_server.url) as gateway:
        await shows(gateway, 'paretogate_predictor_behind{place="replicas"} 1.0')
        await decided_by(gateway, None)
        lock.rmdir()
        await decided_by(gateway, first)
        await shows(gateway, 'paretogate_predictor_behind{place="replicas"} 0.0')


async def test_requests_are_answered_and_decided_as_before_while_redis_is_away(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    worker, first = Replica(tmp_path / "worker", redis_server.url), variant(tmp_path, "first")
    worker.promote(first)
    async with a_gateway(tmp_path / "one", redis_server.url) as gateway:
        await decided_by(gateway, first)
        redis_server.kill()
        await asyncio.sleep(4 * WATCH_S)
        await decided_by(gateway, first)
        Replica(tmp_path / "one", redis_server.url).versions.promote(variant(tmp_path, "second"), {})  # by --here
        await decided_by(gateway, variant(tmp_path, "second"))


async def test_the_operators_own_predictor_decides_whatever_is_promoted_for_all(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    own = variant(tmp_path, "own")
    Replica(tmp_path / "worker", redis_server.url).promote(variant(tmp_path, "first"))
    async with a_gateway(tmp_path / "one", redis_server.url, predictor={"path": own}) as gateway:
        await asyncio.sleep(4 * WATCH_S)
        await decided_by(gateway, own)
    assert not (tmp_path / "one" / "predictors").exists()


def test_a_gateway_that_cannot_start_with_what_it_has_starts_with_what_is_in_force_for_all(
    redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an upgrade that reads another format: rolled back for all, it must not wait for a gateway that runs."""
    monkeypatch.setattr("gateway.app.open_journal", lambda _: ListJournal())
    one, worker = (Replica(tmp_path / name, redis_server.url) for name in ("one", "worker"))
    worker.promote(variant(tmp_path, "first"))
    one.shared.take_up()
    (one.settings.predictors_dir / "0001" / "manifest.json").write_text("{}", encoding="utf-8")
    worker.shared.roll_back()
    away = Replica(tmp_path / "one", "redis://127.0.0.1:1/0").settings
    with pytest.raises(BadArtefactError, match=r"0001, which was promoted.*paretogate rollback"):
        build(away, catalog=CATALOG, backends=(), environ={})
    assert build(one.settings, catalog=CATALOG, backends=(), environ={}) is not None
    assert one.versions.in_force() == ()
