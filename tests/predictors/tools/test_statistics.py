import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictors.tools import InvalidToolError, Tool, ToolRegistry
from predictors.tools.statistics import UsageStatistics

REGISTRY = ToolRegistry(tools=tuple(Tool(tool_id=name, name=name) for name in "ab"))
EAST, NORTH = np.array([1, 0], np.float32), np.array([0, 1], np.float32)


def empty() -> UsageStatistics:
    return UsageStatistics(dim=2, half_life_s=100.0)


def test_a_call_is_worth_half_after_a_half_life() -> None:
    statistics = empty()
    statistics.observe("a", EAST, replica="r", at_s=0.0)
    statistics.observe("a", NORTH, replica="r", at_s=100.0)
    totals, weights = statistics.sums(REGISTRY, now_s=100.0)
    assert totals[0] == pytest.approx([0.5, 1.0])
    assert weights == pytest.approx([1.5, 0.0])


def test_an_event_that_comes_late_is_as_old_as_it_is() -> None:
    statistics = empty()
    statistics.observe("a", NORTH, replica="r", at_s=100.0)
    statistics.observe("a", EAST, replica="r", at_s=0.0)
    totals, weights = statistics.sums(REGISTRY, now_s=200.0)
    assert totals[0] == pytest.approx([0.25, 0.5])
    assert weights == pytest.approx([0.75, 0.0])


def test_years_of_short_half_lives_stay_finite() -> None:
    statistics = UsageStatistics(dim=2, half_life_s=3_600.0)
    for at_s in (1.7e9, 2e9):
        statistics.observe("a", EAST, replica="r", at_s=at_s)
    assert statistics.sums(REGISTRY, now_s=2e9 + 3_600)[1].tolist() == [0.5, 0.0]


def test_an_event_of_a_clock_that_was_ahead_is_worth_no_more_than_one_of_now() -> None:
    statistics = empty()
    statistics.observe("a", EAST, replica="r", at_s=1e6)
    assert statistics.sums(REGISTRY, now_s=0.0)[1].tolist() == [1.0, 0.0]


def test_a_file_of_before_is_read_as_it_was_meant() -> None:
    statistics = empty()
    statistics.observe("a", EAST, replica="r", at_s=100.0)
    arrays = statistics.to_arrays()
    older = {name: arrays[name] for name in ("keys", "n_events")}
    older |= {"clock": np.array([100.0, 0.0]), "weights": 2 * arrays["weights"], "totals": 2 * arrays["totals"]}
    for one, other in zip(
        UsageStatistics.from_arrays(older).sums(REGISTRY, now_s=200.0),
        statistics.sums(REGISTRY, now_s=200.0),
        strict=True,
    ):
        assert one == pytest.approx(other)


def test_a_removed_tool_is_left_out_and_its_events_still_counted() -> None:
    statistics = empty()
    statistics.observe("gone", EAST, replica="r", at_s=0.0)
    assert statistics.sums(REGISTRY, now_s=0.0)[1].tolist() == [0.0, 0.0]
    assert statistics.n_events() == {"gone": 1}


events = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from("rst"), st.floats(0, 1e3), st.sampled_from([0, 1])), max_size=20
)


@given(happened=events, cut=st.integers(0, 20))
def test_replicas_agree_to_the_last_bit_in_whatever_order_and_however_often_they_merge(
    happened: list[tuple[str, str, float, int]], cut: int
) -> None:
    seen_by: dict[str, UsageStatistics] = {name: empty() for name in "rst"}
    stale: dict[str, UsageStatistics] = {name: empty() for name in "rst"}
    for number, (tool, replica, at_s, axis) in enumerate(happened):
        if number == cut:  # a copy that was sent too early and arrives late
            stale = {name: one.merge(empty()) for name, one in seen_by.items()}
        seen_by[replica].observe(tool, (EAST, NORTH)[axis], replica=replica, at_s=at_s)
    r, s, t = seen_by["r"], seen_by["s"], seen_by["t"]
    forward = r.merge(s).merge(t).merge(stale["r"]).merge(t)
    backward = t.merge(s.merge(stale["s"])).merge(r).merge(r)
    for one, other in zip(forward.sums(REGISTRY, now_s=1e3), backward.sums(REGISTRY, now_s=1e3), strict=True):
        assert np.array_equal(one, other)
    assert sum(forward.n_events().values()) == len(happened)


def test_statistics_of_different_decay_do_not_mix() -> None:
    with pytest.raises(InvalidToolError, match="can be merged"):
        empty().merge(UsageStatistics(dim=2, half_life_s=7.0))


def test_a_vector_of_another_length_is_refused() -> None:
    with pytest.raises(InvalidToolError, match=r"got \(3,\)"):
        empty().observe("a", np.ones(3, np.float32), replica="r", at_s=0.0)
