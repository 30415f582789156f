import math
from dataclasses import replace

import numpy as np
import pytest

from eval.contenders.contender import LearnedContender
from eval.contenders.learners import TfidfRidge
from eval.outcomes.folds import Folds
from eval.outcomes.table import ReplayTable
from eval.replay.operating_points import operating_points
from eval.replay.replay import replay
from eval.replay.summary import Summary, summarise
from tests.eval.tables import specialists

from .test_replay import Lengths


@pytest.fixture(scope="module")
def summary() -> Summary:
    table = specialists()
    contender = LearnedContender(learner=TfidfRidge(alpha=1.0), features=Lengths())
    folds = Folds.by_group(table, n_folds=3, seed=0)
    replayed = replay(table, [contender], folds, points=operating_points(knob=(0.0, 5.0, 10.0)), split="3-fold")
    return summarise(replayed, n_resamples=200)


def test_the_best_single_model_is_named_and_has_no_gain_over_itself(summary: Summary) -> None:
    best = next(p for p in summary.points if p.name == "best_single")
    assert (summary.best_single, best.cost_share, best.gain) == ("sage", 1, 0)
    assert (best.gain_interval.lower, best.gain_interval.upper) == (0, 0)
    assert best.most_chosen_share == 1  # collapsed, by definition


def test_a_router_that_tells_the_kinds_apart_costs_a_tenth_at_equal_quality(summary: Summary) -> None:
    curve = summary.curves[0]
    assert curve.name == "tfidf_ridge"
    assert curve.peak == curve.score_at_best_single_cost == 1
    assert curve.equal_quality_cost == pytest.approx(0.1)
    assert curve.equal_quality_interval.upper == pytest.approx(0.1)


def test_mixing_single_models_needs_the_dear_one_to_equal_it(summary: Summary) -> None:
    mixture = next(c for c in summary.curves if c.name == "mixture_of_single_models")
    assert mixture.equal_quality_cost == pytest.approx(1)
    assert mixture.calibration_error is None


def summary_of(table: ReplayTable) -> Summary:
    contender = LearnedContender(learner=TfidfRidge(alpha=1.0), features=Lengths())
    folds = Folds.by_group(table, n_folds=3, seed=0)
    points = operating_points(knob=(0.0, 5.0, 8.0, 10.0))
    return summarise(replay(table, [contender], folds, points=points, split="folds"), n_resamples=200)


def by_chance(*, strongest: float, seed: int = 3) -> ReplayTable:
    """Scores that no prompt tells of: `abacus` and `bard` are right half of the time, `sage` as often as is said."""
    table, rng = specialists(), np.random.default_rng(seed)
    return replace(table, score=(rng.random(table.score.shape) < [0.5, 0.5, strongest]).astype(np.float64))


def test_a_gain_chosen_on_other_folds_is_not_read_off_the_prompts_that_judge_it(summary: Summary) -> None:
    assert summary.curves[0].gain_chosen_elsewhere == pytest.approx(0)  # `sage` is always right: there is none
    flattery = []
    for seed in range(6):
        chance = summary_of(by_chance(strongest=0.5, seed=seed))
        best, ours = next(p for p in chance.points if p.name == "best_single"), chance.curves[0]
        flattery.append(ours.score_at_best_single_cost - best.score - ours.gain_chosen_elsewhere)
        found = ours.gain_chosen_elsewhere_interval
        assert found.lower < ours.gain_chosen_elsewhere < found.upper
    assert min(flattery) > -1e-9
    assert max(flattery) > 0.01


def test_where_all_is_judged_in_one_fold_nothing_was_chosen_elsewhere() -> None:
    table = specialists()
    contender = LearnedContender(learner=TfidfRidge(alpha=1.0), features=Lengths())
    folds = Folds.by_benchmark(table, leave_out="poem")
    curve = summarise(replay(table, [contender], folds, points=operating_points(knob=(0.0,)), split="one")).curves[0]
    assert math.isnan(curve.gain_chosen_elsewhere)


def test_draws_that_never_equal_the_best_single_model_are_in_the_interval_of_the_cost() -> None:
    found = summary_of(by_chance(strongest=0.5, seed=0))
    routed, by_length = found.curves[0], next(c for c in found.curves if c.name == "length_threshold")
    assert 0 < routed.equal_quality_interval.lower < routed.equal_quality_cost < 1
    assert routed.equal_quality_interval.upper == math.inf
    assert by_length.equal_quality_interval.upper <= 1  # it can send all prompts to that model


def test_models_that_answered_different_prompts_are_not_mixed() -> None:
    table = by_chance(strongest=0.6)
    tried = np.random.default_rng(4).random(table.score.shape) < 0.7
    sparse = replace(table, score=np.where(tried, table.score, np.nan), cost_usd=np.where(tried, 1.0, np.nan))
    assert "mixture_of_single_models" in {c.name for c in summary_of(table).curves}
    names = {c.name for c in summary_of(sparse.take(tried.any(axis=1))).curves}
    assert names == {"tfidf_ridge", "length_threshold"}


def test_the_oracle_finds_the_cheapest_right_model_always_and_chance_one_time_in_three(summary: Summary) -> None:
    points = {p.name: p for p in summary.points}
    assert points["oracle"].cheapest_right == 1
    assert points["oracle"].best_identified == 1
    assert points["random"].score == pytest.approx(2 / 3, abs=0.12)
    assert 0.2 < points["random"].cheapest_right < 0.5


def test_a_pool_of_three_has_no_pair_measures(summary: Summary) -> None:
    assert summary.pairs == ()


def summary_of_pair(rows: slice) -> Summary:
    """A weak and a strong model, on some of the prompts: those that gain nothing first, then those that gain all."""
    whole = specialists()
    pair = replace(
        whole, pool=whole.pool.select([0, 2]), models=("abacus", "sage"), score=whole.score[:, [0, 2]],
        cost_usd=whole.cost_usd[:, [0, 2]], benchmark=np.full(len(whole), "both"),
    )  # fmt: skip
    table = pair.take(np.argsort(pair.score[:, 1] - pair.score[:, 0], kind="stable")[rows])
    contender = LearnedContender(learner=TfidfRidge(alpha=1.0), features=Lengths())
    folds = Folds.by_group(table, n_folds=3, seed=0)
    return summarise(
        replay(table, [contender], folds, points=operating_points(knob=(0.0,)), split="3-fold"), n_resamples=50
    )


def test_two_models_have_a_recovered_gap_on_each_benchmark() -> None:
    ours = next(p for p in summary_of_pair(slice(None)).pairs if p.name == "tfidf_ridge")
    # half the prompts gain, and they are sent first: recovery rises in a line to 1 at a share of one half
    assert ours.apgr == pytest.approx(0.75)
    assert ours.cpt50 == pytest.approx(0.25)
    assert not math.isnan(ours.apgr_interval.lower)


def test_draws_without_a_gap_are_left_out_of_its_interval() -> None:
    n_alike = len(specialists()) // 2
    ours = next(p for p in summary_of_pair(slice(n_alike + 1)).pairs if p.name == "tfidf_ridge")
    # one prompt gains; the third of all draws that miss it have no gap to recover
    assert not math.isnan(ours.apgr)
    assert ours.apgr_interval.lower - 1e-6 < ours.apgr < ours.apgr_interval.upper  # draws are in single precision
