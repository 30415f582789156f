"""The rate limit's arithmetic, against a window that remembers every arrival."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.state.gcra import WINDOW_S, correct, take

ARRIVALS = st.lists(st.tuples(st.floats(0, 20), st.integers(1, 5)), max_size=60)


@given(ARRIVALS, st.integers(1, 40))
def test_no_minute_ever_holds_more_than_twice_the_limit_and_no_instant_more_than_once(
    arrivals: list[tuple[float, int]], limit: int
) -> None:
    tat_s, now_s = 0.0, 100.0
    admitted: list[tuple[float, int]] = []
    for gap_s, amount in arrivals:
        now_s += gap_s
        taken = take(tat_s, now_s=now_s, limit=limit, amount=amount)
        tat_s = taken.tat_s
        if taken.granted:
            admitted.append((now_s, amount))
    for start_s, _ in admitted:
        within = sum(amount for at_s, amount in admitted if start_s <= at_s < start_s + WINDOW_S)
        assert within <= 2 * limit  # a full minute's worth at once, and what refills meanwhile
        assert sum(amount for at_s, amount in admitted if at_s == start_s) <= limit


def test_waiting_as_long_as_it_says_is_long_enough() -> None:
    tat_s = take(0.0, now_s=100.0, limit=7, amount=7).tat_s
    refused = take(tat_s, now_s=101.0, limit=7, amount=2)
    assert refused.retry_after_s is not None
    assert take(tat_s, now_s=101.0 + refused.retry_after_s, limit=7, amount=2).granted


def test_what_is_given_back_never_leaves_more_than_a_minute_holds() -> None:
    assert correct(100.0, now_s=100.0, limit=10, amount=-50) == 100.0
    assert take(100.0, now_s=100.0, limit=10, amount=1).left == 9
