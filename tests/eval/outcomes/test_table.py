import numpy as np
import polars as pl
import pytest

from eval.errors import InvalidReplayError
from eval.outcomes.table import ReplayTable
from predictors.outcomes import Outcomes


def table_of(rows: list[tuple[str, str, float, float | None]]) -> ReplayTable:
    frame = pl.DataFrame(rows, schema=["prompt", "model", "score", "cost_usd"], orient="row")
    return ReplayTable.from_outcomes(
        Outcomes.from_table(frame.with_columns(pl.col("prompt").alias("prompt_id"))), name="mine"
    )


def test_outcomes_become_one_row_per_prompt_and_one_column_per_model() -> None:
    table = table_of([("p", "a", 1.0, 0.2), ("p", "b", 0.0, 0.1), ("q", "b", 0.5, 0.3), ("q", "a", 0.0, 0.2)])
    assert table.models == ("a", "b")
    assert table.prompt == ("p", "q")
    assert table.score.tolist() == [[1, 0], [0, 0.5]]
    assert table.cost_usd.tolist() == [[0.2, 0.1], [0.2, 0.3]]


def test_a_pair_that_was_not_tried_is_unknown_and_not_zero() -> None:
    table = table_of([("p", "a", 1.0, 0.2), ("p", "b", 0.0, 0.1), ("q", "b", 0.5, 0.3)])
    assert np.isnan(table.score[1, 0])
    assert table.tried.tolist() == [[True, True], [False, True]]
    assert table.covering.tolist() == [False, True]


def test_a_call_of_unknown_cost_counts_at_its_models_mean() -> None:
    table = table_of([("p", "a", 1.0, 0.2), ("q", "a", 1.0, None), ("p", "b", 1.0, 1.0), ("q", "b", 0.0, 3.0)])
    assert table.cost_usd.tolist() == [[0.2, 1], [0.2, 3]]


def test_models_without_any_cost_are_left_out() -> None:
    table = table_of([("p", "a", 1.0, 0.2), ("p", "b", 1.0, 0.1), ("p", "free", 1.0, None)])
    assert table.models == ("a", "b")


def test_a_table_without_costs_says_what_to_add() -> None:
    with pytest.raises(InvalidReplayError, match="add a cost_usd column"):
        table_of([("p", "a", 1.0, None), ("p", "b", 1.0, None)])


def test_some_of_the_prompts_keep_their_pool() -> None:
    table = table_of([("p", "a", 1.0, 0.2), ("p", "b", 0.0, 0.1), ("q", "b", 0.5, 0.3), ("q", "a", 0.0, 0.2)])
    part = table.take(np.array([False, True]))
    assert part.prompt == ("q",)
    assert part.pool is table.pool


def test_some_of_the_models_keep_the_prompts_that_any_of_them_was_tried_on() -> None:
    table = table_of([("p", "a", 1.0, 0.2), ("p", "b", 0.0, 0.1), ("p", "c", 0.5, 0.3), ("q", "a", 0.0, 0.2)])
    part = table.only(np.array([False, True, True]))
    assert (part.models, part.prompt, part.pool.ids) == (("b", "c"), ("p",), ("mine/b", "mine/c"))
    with pytest.raises(InvalidReplayError, match="needs two"):
        table.only(np.array([True, False, False]))


def test_a_table_of_one_model_is_told_that_there_is_nothing_to_choose_from() -> None:
    with pytest.raises(InvalidReplayError, match="all outcomes are of one model, 'a'"):
        table_of([("p", "a", 1.0, 0.2), ("q", "a", 0.0, 0.2)])


def test_two_prompts_of_one_id_are_refused_and_not_made_one() -> None:
    rows = [("1", "two plus two", "a", 1.0), ("1", "name a rose", "b", 0.0)]
    frame = pl.DataFrame(rows, schema=["prompt_id", "prompt", "model", "score"], orient="row")
    with pytest.raises(InvalidReplayError, match="prompt_id '1' stands for several prompts"):
        ReplayTable.from_outcomes(Outcomes.from_table(frame.with_columns(cost_usd=0.1)), name="mine")


def test_datasets_may_number_their_prompts_alike() -> None:
    rows = [(d, "1", f"first of {d}", m, float(m == d)) for d in ("a", "b") for m in ("a", "b")]
    frame = pl.DataFrame(rows, schema=["dataset", "prompt_id", "prompt", "model", "score"], orient="row")
    table = ReplayTable.from_outcomes(Outcomes.from_table(frame.with_columns(cost_usd=0.1)), name="both")
    assert (table.prompt, table.score.tolist()) == (("first of a", "first of b"), [[1, 0], [0, 1]])
