from dataclasses import replace

import numpy as np
import pytest

from eval.errors import InvalidReplayError
from eval.outcomes.folds import EVERY_BENCHMARK, Folds, learnable
from tests.eval.tables import specialists


def test_every_prompt_is_judged_once_and_never_by_a_predictor_that_saw_its_group() -> None:
    table = specialists()
    judged = []
    for train, test in Folds.by_group(table, n_folds=4, seed=1):
        assert set(table.group[train]) & set(table.group[test]) == set()
        judged.extend(test.tolist())
    assert sorted(judged) == list(range(len(table)))


def test_a_left_out_benchmark_is_all_that_is_judged() -> None:
    table = specialists()
    folds = Folds.by_benchmark(table, leave_out="poem")
    [(train, test)] = list(folds)
    assert set(table.benchmark[test]) == {"poem"}
    assert set(table.benchmark[train]) == {"maths"}
    assert folds.judged.sum() == 60


def test_each_benchmark_can_be_left_out_in_turn() -> None:
    folds = Folds.by_benchmark(specialists(), leave_out=EVERY_BENCHMARK)
    assert len(folds) == 2
    assert folds.judged.all()


def test_a_question_met_in_two_benchmarks_is_not_learned_from_when_one_is_left_out() -> None:
    table = specialists(4)
    table.group[:] = np.tile(["a", "b", "c", "d"], 2)
    table.group[0] = "alone"
    [(train, _)] = list(Folds.by_benchmark(table, leave_out="poem"))
    assert table.group[train].tolist() == ["alone"]


def test_unknown_benchmarks_and_impossible_folds_are_named() -> None:
    table = specialists(4)
    with pytest.raises(InvalidReplayError, match="it has maths, poem"):
        Folds.by_benchmark(table, leave_out="prose")
    with pytest.raises(InvalidReplayError, match="choose 2 to 8"):
        Folds.by_group(table, n_folds=9, seed=0)
    with pytest.raises(InvalidReplayError, match="one benchmark only"):
        Folds.by_benchmark(table.take(table.benchmark == "poem"), leave_out="poem")


def test_prompts_of_one_question_cannot_be_split() -> None:
    table = specialists()
    one = replace(table, group=np.full(len(table), "the same"))
    with pytest.raises(InvalidReplayError, match="ask one question"):
        Folds.by_group(one, n_folds=5, seed=0)


def test_a_model_that_some_fold_tells_nothing_of_is_left_out() -> None:
    table = specialists()
    table.score[:, 1] = np.nan
    table.score[7, 1] = 1.0  # `bard` was asked one question, and nothing is known of it where that is judged
    left, folds = learnable(table, lambda t: Folds.by_group(t, n_folds=3, seed=0))
    assert left.models == ("abacus", "sage")
    assert all(left.take(train).tried.any(axis=0).all() for train, _ in folds)
    table.score[:, 2] = np.nan
    with pytest.raises(InvalidReplayError, match="1 models are left"):
        learnable(table, lambda t: Folds.by_group(t, n_folds=3, seed=0))
