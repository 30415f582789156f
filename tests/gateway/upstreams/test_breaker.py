from gateway.upstreams.breaker import Breaker


def opened(at: float = 0.0) -> Breaker:
    breaker = Breaker(failures_to_open=2, first_rest_s=10.0)
    breaker.fail(at)
    breaker.fail(at)
    return breaker


def test_failures_in_a_row_open_it() -> None:
    breaker = Breaker(failures_to_open=2, first_rest_s=10.0)
    breaker.fail(0.0)
    assert breaker.state(0.0) == "closed"
    breaker.succeed()
    breaker.fail(1.0)
    assert breaker.begin(1.0)
    breaker.fail(1.0)
    assert breaker.state(1.0) == "open"
    assert not breaker.begin(10.9)


def test_after_the_rest_exactly_one_probe_passes() -> None:
    breaker = opened()
    assert breaker.state(10.0) == "half_open"
    assert breaker.begin(10.0)
    assert not breaker.begin(10.0)
    breaker.succeed()
    assert breaker.state(10.0) == "closed"


def test_a_failed_probe_doubles_the_rest() -> None:
    breaker = opened()
    breaker.begin(10.0)
    breaker.fail(10.0)
    assert breaker.state(29.9) == "open"
    assert breaker.state(30.0) == "half_open"


def test_a_probe_whose_client_left_makes_room_for_another() -> None:
    breaker = opened()
    breaker.begin(10.0)
    breaker.abandon()
    assert breaker.begin(10.0)


def test_what_the_backend_asks_for_is_given_and_never_shortened() -> None:
    breaker = Breaker()
    breaker.fail(0.0, rest_s=30.0)
    breaker.fail(1.0, rest_s=2.0)
    assert breaker.state(29.0) == "open"
    assert breaker.state(30.0) == "half_open"
