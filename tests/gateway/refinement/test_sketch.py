import random

import pytest

from gateway.refinement.sketch import DecayedLine, DecayedSketch, with_cut_off

HOUR = 3600.0


def test_the_mean_is_known_to_two_percent() -> None:
    sketch = DecayedSketch(HOUR)
    for value in (1.0, 2.0, 3.0, 4.0, 5.0):
        sketch.add(value, at_s=0.0)
    spread = sketch.spread(at_s=0.0)
    assert spread is not None
    assert spread.weight == 5.0
    assert spread.mean == pytest.approx(3.0, rel=0.02)
    assert spread.sd == pytest.approx(2**0.5, rel=0.04)


def test_one_absurd_value_among_many_hardly_counts() -> None:
    sketch = DecayedSketch(HOUR)
    for _ in range(99):
        sketch.add(1.0, at_s=0.0)
    sketch.add(10_000.0, at_s=0.0)
    spread = sketch.spread(at_s=0.0)
    assert spread is not None
    assert spread.mean == pytest.approx(1.0, rel=0.02)


def test_an_observation_counts_half_after_a_half_life() -> None:
    sketch = DecayedSketch(HOUR)
    sketch.add(1.0, at_s=0.0)
    sketch.add(4.0, at_s=HOUR)
    spread = sketch.spread(at_s=HOUR, trim=0.0)
    assert spread is not None
    assert spread.weight == pytest.approx(1.5)
    assert spread.mean == pytest.approx((0.5 * 1.0 + 1.0 * 4.0) / 1.5, rel=0.02)


def test_years_later_nothing_overflows() -> None:
    sketch = DecayedSketch(HOUR)
    sketch.add(1.0, at_s=0.0)
    sketch.add(2.0, at_s=1e9)
    spread = sketch.spread(at_s=1e9)
    assert spread is not None
    assert (spread.weight, spread.mean) == (pytest.approx(1.0), pytest.approx(2.0, rel=0.02))


def test_replicas_add_up_to_what_one_would_have_counted() -> None:
    rng = random.Random(0)
    together, first, second = (DecayedSketch(HOUR) for _ in range(3))
    for number in range(500):
        value, at_s = rng.lognormvariate(0, 1), 100.0 * number
        together.add(value, at_s=at_s)
        (first, second)[number % 2].add(value, at_s=at_s)
    first.merge(second)
    merged, alone = first.spread(at_s=50_000.0), together.spread(at_s=50_000.0)
    assert merged is not None
    assert alone is not None
    assert (merged.weight, merged.mean, merged.sd) == pytest.approx((alone.weight, alone.mean, alone.sd))


def test_what_was_written_is_read_back() -> None:
    sketch = DecayedSketch(HOUR)
    for value in (0.0, 0.5, 7.0):
        sketch.add(value, at_s=10.0)
    assert DecayedSketch.from_json(sketch.to_json()) == sketch


def test_a_line_finds_start_and_slope() -> None:
    line = DecayedLine(HOUR)
    for tokens in (10, 50, 100):
        line.add(tokens, 0.4 + 0.02 * tokens, at_s=0.0)
    fitted = line.fit(at_s=0.0)
    assert fitted == pytest.approx((3.0, 0.4, 0.02))
    assert DecayedLine.from_json(line.to_json()).fit(at_s=0.0) == fitted


def test_a_line_through_one_point_is_not_known() -> None:
    line = DecayedLine(HOUR)
    line.add(10, 1.0, at_s=0.0)
    line.add(10, 2.0, at_s=0.0)
    assert line.fit(at_s=0.0) is None


def cut(lengths: list[float], limits: list[float], *, at_s: float = 0.0) -> tuple[DecayedSketch, DecayedSketch]:
    whole, cut_off = DecayedSketch(HOUR), DecayedSketch(HOUR)
    for length, limit in zip(lengths, limits, strict=True):
        (whole if length < limit else cut_off).add(min(length, limit), at_s=at_s)
    return whole, cut_off


def test_answers_that_were_cut_off_do_not_pass_for_short_ones() -> None:
    rng = random.Random(0)
    lengths = [rng.lognormvariate(5.0, 0.7) for _ in range(4000)]
    limits = [rng.choice((16.0, 64.0, 256.0, 4096.0)) for _ in lengths]
    whole, cut_off = cut(lengths, limits)
    truth = sum(lengths) / len(lengths)
    naive = whole.spread(at_s=0.0, trim=0.0)
    found = with_cut_off(whole, cut_off).spread(at_s=0.0, trim=0.0)
    assert naive is not None
    assert found is not None
    assert naive.mean < 0.85 * truth
    assert found.mean == pytest.approx(truth, rel=0.05)
    assert found.weight == pytest.approx(naive.weight)


def test_kaplan_and_meiers_own_arithmetic_holds() -> None:
    # ends at 1 and 4, cut off at 2: the survivor of three is shared out to what ended later
    whole, cut_off = cut([1.0, 4.0, 9.0], [99.0, 99.0, 2.0])
    bins = sorted(with_cut_off(whole, cut_off).bins.values())
    assert bins == pytest.approx([2 * 1 / 3, 2 * 2 / 3])


def test_what_was_cut_off_last_is_taken_to_go_on() -> None:
    whole, cut_off = cut([10.0, 10.0, 500.0, 500.0], [100.0, 100.0, 100.0, 100.0])
    found = with_cut_off(whole, cut_off).spread(at_s=0.0, trim=0.0)
    assert found is not None
    # half of them end at 10, half go beyond 100 by (10 + 10 + 100 + 100) / 2
    assert found.mean == pytest.approx((10 + 210) / 2, rel=0.03)


def test_nothing_but_cut_off_answers_tells_no_length() -> None:
    whole, cut_off = cut([50.0, 60.0], [8.0, 8.0])
    assert with_cut_off(whole, cut_off).spread(at_s=0.0) is None


def test_what_was_cut_off_long_ago_counts_as_little_as_what_ended_long_ago() -> None:
    whole, cut_off = DecayedSketch(HOUR), DecayedSketch(HOUR)
    cut_off.add(8.0, at_s=0.0)
    for value in (10.0, 30.0):
        whole.add(value, at_s=20 * HOUR)
    found = with_cut_off(whole, cut_off).spread(at_s=20 * HOUR, trim=0.0)
    assert found is not None
    assert found.mean == pytest.approx(20.0, rel=0.02)
    assert found.weight == pytest.approx(2.0)


def test_after_days_of_traffic_all_that_was_seen_lately_still_counts() -> None:
    """Weights are scaled anew every 64 half-lives: the one observation at which that happens must not outweigh all."""
    sketch = DecayedSketch(HOUR)
    for minute in range(70 * 60):
        sketch.add(1.0 if minute % 2 else 3.0, at_s=60.0 * minute)
    spread = sketch.spread(at_s=70 * HOUR)
    assert spread is not None
    assert spread.weight == pytest.approx(60 / 0.693, rel=0.02)  # a call a minute, each half as heavy after an hour
    assert (spread.mean, spread.sd) == (pytest.approx(2.0, rel=0.03), pytest.approx(1.0, rel=0.05))


def test_a_replica_that_counted_later_adds_to_what_was_seen_before() -> None:
    before, later = DecayedLine(HOUR), DecayedLine(HOUR)
    for x in range(1, 5):
        before.add(x, 2.0 * x, at_s=0.0)
        later.add(x, 5.0 * x, at_s=100 * HOUR)
    before.merge(later)
    fitted = before.fit(at_s=100 * HOUR)
    assert fitted is not None
    assert fitted == pytest.approx((4.0, 0.0, 5.0), abs=1e-6)
