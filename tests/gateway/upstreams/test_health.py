from catalog import Limits
from gateway.errors import (
    UpstreamNotAskedError,
    UpstreamStatusError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
)
from gateway.upstreams.health import Health
from gateway.upstreams.server_load import ServerLoad
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


def test_a_backend_is_asked_as_often_a_minute_as_its_limits_say_and_then_masked() -> None:
    now = [0.0]
    health = Health(clock=lambda: now[0])
    twice = backend("strong", "http://127.0.0.1:1/v1", limits=Limits(requests_per_minute=2))
    pool = serve_fixed((twice, CHEAP)).pool
    assert health.available(pool) is None
    for _ in range(2):
        assert health.begin(twice)
        health.end(twice, "answered")
    assert not health.begin(twice)
    assert health.available(pool).tolist() == [False, True]
    refusal = health.resting([twice])
    assert (refusal.is_rate_limit, refusal.retry_after_s) == (True, 30.0)
    now[0] = 30.0
    assert health.available(pool).tolist() == [True, True]
    assert health.available(pool, ahead={"strong": 1}).tolist() == [False, True]
    assert health.available(pool) is None
    assert health.begin(twice)
    assert not health.begin(twice)


def test_a_backend_that_asks_for_rest_is_masked_as_long_as_it_asked() -> None:
    now = [0.0]
    health = Health(clock=lambda: now[0])
    health.begin(CHEAP)
    health.end(CHEAP, UpstreamStatusError(backend_id="cheap", status=429, retry_after_s=30.0))
    assert health.available(POOL).tolist() == [True, False]
    assert health.soonest_s([CHEAP]) == 30.0
    now[0] = 30.0
    assert health.available(POOL).tolist() == [True, True]


def test_what_was_not_asked_for_want_of_something_of_this_machines_is_no_failure_of_the_backend() -> None:
    health = Health(clock=lambda: 0.0)
    for _ in range(10):
        assert health.begin(CHEAP)
        health.end(CHEAP, UpstreamNotAskedError("was not asked", backend_id="cheap"))
    assert health.available(POOL) is None


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


def test_a_server_that_tells_its_load_is_believed_about_everybodys_requests() -> None:
    health = Health(clock=lambda: 0.0)
    health.heard((CHEAP,), ServerLoad(running=6.0, waiting=0.0))
    assert (health.load().running, health.load().waiting) == ({"cheap": 6.0}, {"cheap": 0.0})


def test_our_requests_since_a_reading_join_the_end_of_the_queue() -> None:
    health = Health(clock=lambda: 0.0)
    health.begin(CHEAP)
    health.heard((CHEAP,), ServerLoad(running=4.0, waiting=2.0))  # ours is one of these six
    health.begin(CHEAP)
    health.begin(CHEAP)
    assert (health.load().running, health.load().waiting) == ({"cheap": 4.0}, {"cheap": 4.0})
    for _ in range(3):
        health.end(CHEAP, "answered")
    assert (health.load().running, health.load().waiting) == ({"cheap": 4.0}, {"cheap": 1.0})  # five are left


def test_models_that_share_a_server_share_its_queue() -> None:
    health = Health(clock=lambda: 0.0)
    health.heard((CHEAP, ONE_AT_A_TIME), ServerLoad(running=1.0, waiting=1.0))
    health.begin(ONE_AT_A_TIME)
    assert health.load().waiting == {"cheap": 2.0, "strong": 2.0}


def test_a_stale_reading_is_forgotten() -> None:
    now = [0.0]
    health = Health(clock=lambda: now[0], stale_after_s=10.0)
    health.heard((CHEAP,), ServerLoad(running=6.0, waiting=3.0, cache_use=0.5))
    now[0] = 10.0
    assert health.server_loads()["cheap"].cache_use == 0.5
    now[0] = 10.1
    assert (health.server_loads(), health.load().waiting) == ({}, {})


def test_a_server_that_falls_silent_and_keeps_one_waiting_hangs_and_is_left_alone_at_once() -> None:
    now = [0.0]
    health = Health(clock=lambda: now[0], stale_after_s=10.0)
    late = UpstreamTimeoutError(backend_id="cheap", phase="first byte", after_s=60.0)
    health.heard((CHEAP,), ServerLoad(running=1.0, waiting=0.0))
    now[0] = 10.0  # it may only be slow
    for _ in range(2):
        health.begin(CHEAP)
        health.end(CHEAP, late)
        assert health.available(POOL) is None
        health.heard((CHEAP,), ServerLoad(running=1.0, waiting=0.0))
    now[0] = 21.0
    health.begin(CHEAP)
    health.end(CHEAP, late)
    assert health.available(POOL).tolist() == [True, False]
    now[0] = 21.0 + 5.0
    assert health.begin(CHEAP)  # the probe


def test_a_server_beyond_the_operators_limits_gets_nothing_until_it_recovers_or_falls_silent() -> None:
    now = [0.0]
    health = Health(clock=lambda: now[0], stale_after_s=10.0)
    limited = backend("cheap", "http://127.0.0.1:1/v1", limits=Limits(max_waiting=2, max_cache_use=0.9))
    health.heard((limited,), ServerLoad(running=8.0, waiting=3.0))
    assert health.available(POOL).tolist() == [True, False]
    assert not health.begin(limited)
    health.heard((limited,), ServerLoad(running=8.0, waiting=2.0, cache_use=0.95))
    assert not health.admits(limited)
    health.heard((limited,), ServerLoad(running=8.0, waiting=2.0, cache_use=0.9))
    assert health.available(POOL) is None
    health.heard((limited,), ServerLoad(running=8.0, waiting=9.0))
    now[0] = 20.0
    assert health.begin(limited)


def test_those_who_are_about_to_begin_count_as_load_and_take_places() -> None:
    health = Health(clock=lambda: 0.0)
    health.begin(CHEAP)
    ahead = {"strong": 1, "cheap": 2}
    assert health.load(ahead=ahead).running == {"cheap": 3.0, "strong": 1.0}
    assert health.available(POOL, ahead=ahead).tolist() == [False, True]
    health.heard((CHEAP,), ServerLoad(running=6.0, waiting=1.0))
    assert health.load(ahead=ahead).waiting == {"cheap": 3.0}
