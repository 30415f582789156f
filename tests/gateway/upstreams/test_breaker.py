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


def test_those_under_way_when_it_opened_lengthen_no_rest() -> None:
    """Sixty requests that failed within the same moment had a backend rest for two minutes in place of five seconds."""
    breaker = Breaker()
    assert all(breaker.begin(0.0) for _ in range(60))
    for request in range(60):
        breaker.fail(request / 100)
    assert breaker.state(5.0) == "open"  # since the fifth, at 0.04
    assert breaker.begin(5.1)
    breaker.fail(5.1)
    assert breaker.state(15.0) == "open"
    assert breaker.state(15.2) == "half_open"  # the second rest is twice the first


def test_one_that_fails_after_the_rest_leaves_the_probe_to_another() -> None:
    breaker = opened()
    breaker.fail(11.0)  # it had been asked before the breaker opened, and was not answered in time
    assert breaker.begin(11.0)
    breaker.succeed()
    assert breaker.state(11.0) == "closed"


def test_one_under_way_may_still_say_how_long_it_shall_rest() -> None:
    breaker = opened()
    breaker.fail(1.0, rest_s=30.0)
    assert breaker.state(30.9) == "open"
    breaker.begin(31.0)
    breaker.fail(31.0)
    assert breaker.state(50.9) == "open"
    assert breaker.state(51.0) == "half_open"
