from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog import InvalidMeasurementError
from catalog.capability.format_spread import PromptFormat, draw_formats, measure_spread, prior


def test_the_prior_has_the_mean_of_the_original_format_and_a_floor() -> None:
    assert prior(0.8) == pytest.approx((20.0, 5.0))
    assert prior(0.1) == (1.1, 5.0)
    assert np.isfinite(prior(1.0)).all()


def test_a_format_lays_out_fields_and_options() -> None:
    plain = PromptFormat(separator=": ", field_space=" || ", casing="UPPER", wrapper="[{}]", numbering="i")
    assert plain.fields([("passage", "x"), ("answer", "")]) == "PASSAGE: x || ANSWER: "
    assert plain.options(["yes", "no"]) == "[i] yes || [ii] no"


def test_a_line_break_after_a_name_needs_one_between_fields() -> None:
    with pytest.raises(InvalidMeasurementError, match="line break"):
        PromptFormat(separator="\n\t", field_space=", ")
    with pytest.raises(InvalidMeasurementError, match="between its name"):
        PromptFormat(separator="").fields([("a", "b")])


@settings(max_examples=20)
@given(st.integers(2, 60), st.integers(0, 2**32 - 1))
def test_drawn_formats_are_different_and_of_the_grammar(n: int, seed: int) -> None:
    formats = draw_formats(n, rng=np.random.default_rng(seed))
    assert len(set(formats)) == n
    assert formats == draw_formats(n, rng=np.random.default_rng(seed))


def a_model(formats: Sequence[PromptFormat], chances: Sequence[float], n_items: int):
    """A model whose answers to each item are fixed: format k is right on its share of the items."""
    right = np.random.default_rng(5).random((len(formats), n_items)) < np.array(chances)[:, None]
    calls: list[int] = []

    def score(form: PromptFormat, items: Sequence[int]) -> list[float]:
        calls.append(len(items))
        return [float(right[formats.index(form), item]) for item in items]

    return score, calls, right.mean(axis=1)


def test_the_search_finds_the_best_and_the_worst_of_forty_formats_with_a_fraction_of_the_work() -> None:
    formats = draw_formats(40, rng=np.random.default_rng(0))
    chances = [0.5] * 38 + [0.95, 0.05]
    score, calls, true = a_model(formats, chances, 500)
    found = measure_spread(score, formats, n_items=500, budget=6_000, rng=np.random.default_rng(1))
    assert (found.best, found.worst) == (formats[38], formats[39])
    assert found.spread == pytest.approx(true[38] - true[39])
    assert sum(calls) == found.evaluations < 0.45 * 40 * 500
    assert found.original_score == pytest.approx(true[0])


def test_a_budget_is_kept() -> None:
    formats = draw_formats(10, rng=np.random.default_rng(0))
    score, calls, _ = a_model(formats, [0.5] * 10, 100)
    measure_spread(score, formats, n_items=100, budget=200, rng=np.random.default_rng(1))
    assert sum(calls) <= 100 + 200 + 2 * 100  # the original, the search, and the two extremes in full


def test_a_scorer_out_of_range_or_a_budget_for_nothing_is_refused() -> None:
    formats = draw_formats(3, rng=np.random.default_rng(0))
    rng = np.random.default_rng(1)
    with pytest.raises(InvalidMeasurementError, match="one score"):
        measure_spread(lambda _, items: [2.0] * len(items), formats, n_items=5, budget=100, rng=rng)
    with pytest.raises(InvalidMeasurementError, match="at least 40"):
        measure_spread(lambda _, items: [1.0] * len(items), formats, n_items=5, budget=10, rng=rng)
    with pytest.raises(InvalidMeasurementError, match="two formats"):
        measure_spread(lambda _, items: [1.0] * len(items), formats[:1], n_items=5, budget=10, rng=rng)
