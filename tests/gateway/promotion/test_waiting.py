"""A shared predictor whose encoder is away is taken up once that is back; one that is refused is not tried again."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from catalog import Backend
from gateway.app import build
from gateway.pauses import Patience
from gateway.promotion import PredictorWaitsError, SharedPredictors
from gateway.settings import Settings
from predictors import BadArtefactError, EncoderAwayError, Forecaster
from predictors.versions import PredictorVersions
from tests.gateway.running import ListJournal, RunningGateway, listening
from tests.gateway.state.servers import RedisServer

from .endpoint import Endpoint
from .replicas import Replica, variant
from .test_following import CATALOG, WATCH_S, a_gateway, decided_by, decides, shows

pytestmark = pytest.mark.loopback

SHORT_OF_LONGEST_S, LONGEST_S = 0.5, 300.0


class Clock:
    """Stands still unless it is told to go on."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


@pytest.fixture
def promoted(redis_server: RedisServer, tmp_path: Path, endpoint: Endpoint) -> Iterator[tuple[SharedPredictors, Clock]]:
    """A replica's view, where somebody has promoted a predictor for all that reads prompts by the endpoint."""
    worker = Replica(tmp_path / "worker", redis_server.url, shared_encoders=[endpoint.name])
    worker.promote(endpoint.predictor(tmp_path, "first"))
    one, clock = Replica(tmp_path / "one", redis_server.url, shared_encoders=[endpoint.name]), Clock()
    shared = SharedPredictors(one.settings, clock=clock)
    yield shared, clock
    shared.close()


def test_it_is_tried_again_ever_later_until_its_encoder_answers(
    promoted: tuple[SharedPredictors, Clock], endpoint: Endpoint
) -> None:
    shared, clock = promoted
    with pytest.raises(PredictorWaitsError, match=r"version 1.*waits for its encoder.*cannot be reached"):
        shared.take_up()
    assert (shared.is_behind, shared.is_refused) == (True, False)
    clock.now_s = SHORT_OF_LONGEST_S  # the first pause is a second at least
    with endpoint.open():
        assert not shared.take_up()
        assert (endpoint.asked, shared.is_behind) == (0, True)
        clock.now_s += LONGEST_S
        assert shared.take_up()
    assert endpoint.asked == 1
    assert not shared.is_behind
    assert not shared.take_up()  # nothing more is to be done


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_so_it_is_where_the_endpoint_says_that_it_cannot_now(
    promoted: tuple[SharedPredictors, Clock], endpoint: Endpoint, status: int
) -> None:
    shared, clock = promoted
    endpoint.status = status
    with endpoint.open():
        with pytest.raises(PredictorWaitsError, match=str(status)):
            shared.take_up()
        endpoint.status, clock.now_s = 200, LONGEST_S
        assert shared.take_up()


@pytest.mark.parametrize("status", [401, 404])
def test_what_will_not_change_by_itself_is_refused_once(
    promoted: tuple[SharedPredictors, Clock], endpoint: Endpoint, status: int
) -> None:
    shared, clock = promoted
    endpoint.status = status
    with endpoint.open():
        with pytest.raises(BadArtefactError, match=str(status)):
            shared.take_up()
        assert (shared.is_behind, shared.is_refused) == (True, True)
        endpoint.status, clock.now_s = 200, 10 * LONGEST_S
        assert not shared.take_up()
        assert endpoint.asked == 1


def test_an_encoder_that_is_another_is_refused_once(
    redis_server: RedisServer, tmp_path: Path, endpoint: Endpoint
) -> None:
    worker, one = (
        Replica(tmp_path / name, redis_server.url, shared_encoders=[endpoint.name]) for name in ("worker", "one")
    )
    worker.promote(variant(tmp_path, "first", encoder=endpoint.name))  # fitted on another's vectors
    clock = Clock()
    shared = SharedPredictors(one.settings, clock=clock)
    with endpoint.open():
        with pytest.raises(BadArtefactError, match="fitted on"):
            shared.take_up()
        clock.now_s = 10 * LONGEST_S
        assert not shared.take_up()
    assert shared.is_refused


def test_another_order_is_taken_up_at_once_whatever_waited(
    promoted: tuple[SharedPredictors, Clock], redis_server: RedisServer, tmp_path: Path
) -> None:
    shared, _ = promoted
    with pytest.raises(PredictorWaitsError):
        shared.take_up()
    Replica(tmp_path / "worker", redis_server.url).promote(variant(tmp_path, "second"))
    assert shared.take_up()
    assert not shared.is_behind


def test_pauses_grow_at_random_within_bounds() -> None:
    clock = Clock()
    patience = Patience(clock=clock)
    rounds = [[patience.failed() for _ in range(20)] for _ in range(20) if patience.begin_anew() is None]
    assert all(1.0 <= pause <= LONGEST_S for pauses in rounds for pause in pauses)
    assert all(pauses[0] <= 2.0 for pauses in rounds)
    assert len({pauses[-1] for pauses in rounds}) == 20  # no two replicas ask at the same time
    assert patience.is_waiting
    clock.now_s = LONGEST_S
    assert (patience.is_tried, patience.is_waiting) == (True, False)


async def test_a_gateway_tells_of_it_and_decides_by_it_once_the_encoder_is_back(
    redis_server: RedisServer, tmp_path: Path, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.pauses._EVER_LATER.max", WATCH_S)
    monkeypatch.setattr("gateway.pauses._EVER_LATER.min", 0.0)
    named = {"shared_encoders": [endpoint.name]}
    first = endpoint.predictor(tmp_path, "first")
    async with a_gateway(tmp_path / "one", redis_server.url, predictor=named) as gateway:
        before = await decides(gateway)
        Replica(tmp_path / "worker", redis_server.url, **named).promote(first)  # type: ignore[arg-type]
        await shows(gateway, 'paretogate_predictor_behind{place="replicas"} 1.0')
        assert await decides(gateway) == before
        with endpoint.open():
            await decided_by(gateway, first)
            await shows(gateway, 'paretogate_predictor_behind{place="replicas"} 0.0')
            await shows(gateway, 'paretogate_predictor_behind{place="state_directory"} 0.0')


async def test_one_that_was_taken_up_and_whose_encoder_goes_away_before_it_decides_waits_too(
    redis_server: RedisServer, tmp_path: Path, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by `--here`, which looks at the encoder from the machine where it is run."""
    monkeypatch.setattr("gateway.pauses._EVER_LATER.max", WATCH_S)
    monkeypatch.setattr("gateway.pauses._EVER_LATER.min", 0.0)
    first = endpoint.predictor(tmp_path, "first")
    async with a_gateway(tmp_path / "one", redis_server.url) as gateway:
        before = await decides(gateway)
        Replica(tmp_path / "one", redis_server.url).versions.promote(first, {})
        await shows(gateway, 'paretogate_predictor_behind{place="state_directory"} 1.0')
        assert await decides(gateway) == before
        with endpoint.open():
            await decided_by(gateway, first)
            await shows(gateway, 'paretogate_predictor_behind{place="state_directory"} 0.0')


@pytest.mark.parametrize("is_shared", [True, False])
async def test_a_gateway_that_starts_while_the_encoder_is_away_serves_with_what_ships_until_it_is_back(
    redis_server: RedisServer, tmp_path: Path, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, is_shared: bool
) -> None:
    """It did not start at all."""
    monkeypatch.setattr("gateway.pauses._EVER_LATER.max", WATCH_S)
    monkeypatch.setattr("gateway.pauses._EVER_LATER.min", 0.0)
    first = endpoint.predictor(tmp_path, "first")
    state = {"dir": tmp_path / "one"}
    told: dict[str, Any] = {"state": state, "learning": {"watch_s": WATCH_S}}
    if is_shared:
        told |= {"journal": {"url": redis_server.url}, "predictor": {"shared_encoders": [endpoint.name]}}
    PredictorVersions(Settings(**told).predictors_dir).promote(first, {})
    one = Backend(id="b", profile_id="openai/gpt-4o", kind="openai", provider="openai", model_name="m")
    with capture_logs() as logs:
        app = build(Settings(**told), catalog=CATALOG, backends=(one,), environ={})
    assert [(said["event"], said["decides"]) for said in logs] == [("predictor_waits", "the predictor that ships")]
    async with listening(app) as url, httpx.AsyncClient(base_url=url, timeout=20) as client:
        gateway = RunningGateway(client=client, journal=ListJournal(), url=url, app=app)
        await shows(gateway, 'paretogate_predictor_behind{place="state_directory"} 1.0')
        assert await decides(gateway) == Forecaster.load().version
        with endpoint.open():
            await decided_by(gateway, first)
            await shows(gateway, 'paretogate_predictor_behind{place="state_directory"} 0.0')


def test_the_operators_own_predictor_waits_for_nobody(tmp_path: Path, endpoint: Endpoint) -> None:
    """Nothing else is to decide in its place."""
    own = endpoint.predictor(tmp_path, "own")
    settings = Settings(state={"dir": tmp_path}, predictor={"path": own})
    with pytest.raises(EncoderAwayError, match="cannot be reached"):
        build(settings, catalog=CATALOG, backends=(), environ={})
