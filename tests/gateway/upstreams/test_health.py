from catalog import Limits
from gateway.errors import UpstreamStatusError, UpstreamUnreachableError
from gateway.upstreams.health import Health
from tests.gateway.running import backend, serve_fixed

ONE_AT_A_TIME = backend("strong", "http://127.0.0.1:1/v1", limits=Limits(max_concurrency=1))
CHEAP = backend("cheap", "http://127.0.0.1:1/v1")
POOL = serve_fixed((ONE_AT_A_TIME, CHEAP)).pool


def test_while_all_are_well_nothing_is_masked() -> None:
    assert Health(clock=lambda: 0.0).available(POOL) is None


def test_a_full_backend_is_masked_until_a_place_is_free() -> None:
    health = Health(clock=lambda: 0.0)
    assert health.begin(ONE_AT_A_TIME)
    assert not health.begin(ONE_AT_A_TIME)
    assert health.available(POOL).tolist() == [False, True]
    assert health.load().running == {"strong": 1.0}
    health.end(ONE_AT_A_TIME, "answered")
    assert health.available(POOL) is None


def test_a_backend_that_asks_for_rest_is_masked_as_long_as_it_asked() -> None:
    now = [0.0]
    health = Health(clock=lambda: now[0])
    health.begin(CHEAP)
    health.end(CHEAP, UpstreamStatusError(backend_id="cheap", status=429, retry_after_s=30.0))
    assert health.available(POOL).tolist() == [True, False]
    assert health.soonest_s([CHEAP]) == 30.0
    now[0] = 30.0
    assert health.available(POOL).tolist() == [True, True]


def test_a_refusal_of_the_request_is_no_failure_of_the_backend() -> None:
    health = Health(clock=lambda: 0.0)
    for _ in range(10):
        health.begin(CHEAP)
        health.end(CHEAP, UpstreamStatusError(backend_id="cheap", status=400))
    assert health.states() == {"cheap": ("closed", 0)}


def test_five_failures_in_a_row_open_the_breaker() -> None:
    health = Health(clock=lambda: 0.0)
    for _ in range(5):
        assert health.begin(CHEAP)
        health.end(CHEAP, UpstreamUnreachableError("cannot be reached", backend_id="cheap"))
    assert not health.begin(CHEAP)
    assert health.states() == {"cheap": ("open", 0)}
