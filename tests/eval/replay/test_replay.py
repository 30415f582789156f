from collections.abc import Sequence

import numpy as np
import pytest

from eval.contenders.contender import FittedContender, LearnedContender
from eval.contenders.forecasts import BatchForecasts
from eval.contenders.learners import TfidfRidge
from eval.outcomes.folds import Folds
from eval.replay.operating_points import PAY, SWEEP, operating_points
from eval.replay.replay import Replay, obtained, replay
from predictors import Forecasts, Load, Query
from predictors.quality.protocol import QualityEstimate
from router import Router, RoutingOptions
from tests.eval.tables import specialists

TABLE = specialists()
ABACUS, BARD, SAGE = range(3)


class Lengths:
    """The plainest features there are."""

    n_surface = 1

    def extract(self, texts: list[str]) -> np.ndarray:
        return np.array([[float(len(t))] for t in texts])


def replayed(knob: tuple[float, ...] = (0.0, 5.0, 10.0)) -> Replay:
    contender = LearnedContender(learner=TfidfRidge(alpha=1.0), features=Lengths())
    return replay(
        TABLE,
        [contender],
        Folds.by_group(TABLE, n_folds=3, seed=0),
        points=operating_points(("best", "cheap"), knob=knob),
        split="3-fold",
    )


def perfect_source(kind: type[BatchForecasts] = BatchForecasts) -> BatchForecasts:
    return kind(
        pool=TABLE.pool,
        version="truth",
        prompts=TABLE.prompt,
        quality=QualityEstimate(mean=TABLE.score, se=np.full(TABLE.score.shape, 0.01), familiarity=np.ones(len(TABLE))),
        cost_usd=TABLE.cost_usd,
        cost_usd_sd=np.zeros(3),
    )


def test_a_learner_that_tells_the_kinds_apart_equals_the_sage_at_a_tenth_of_its_cost() -> None:
    run = replayed().runs[0]
    middle = run.choices[1]
    assert middle.policy == SWEEP
    assert obtained(TABLE.score, middle).mean() == 1
    assert obtained(TABLE.cost_usd, middle).mean() == pytest.approx(0.001)


def test_replay_makes_the_very_decisions_that_the_router_makes_one_by_one() -> None:
    truth = FittedContender(name="truth", bind=lambda _pool: perfect_source())
    points = operating_points(("balanced",), knob=(0.0, 3.0, 10.0))
    found = replay(TABLE, [truth], Folds.by_group(TABLE, n_folds=2, seed=0), points=points, split="2-fold")
    router = Router(perfect_source(), explore=0.0)
    for point, choices in zip(points, found.runs[0].choices, strict=True):
        alone = [
            router.decide(Query.from_prompt(p), point.options, rng=np.random.default_rng(1)).ranking[0]
            for p in TABLE.prompt
        ]
        assert choices.chosen.tolist() == alone


def test_a_saved_predictor_learns_nothing_from_the_replayed_table_and_is_asked_once_for_all_operating_points() -> None:
    asked: list[str] = []

    class Asked(BatchForecasts):
        def forecasts(self, queries: Sequence[Query], *, load: Load | None = None) -> Forecasts:
            asked.extend(query.text for query in queries)
            return super().forecasts(queries, load=load)

    source = perfect_source(Asked)
    contender = FittedContender(name="saved", bind=lambda _pool: source)
    assert contender.source(TABLE.take(np.arange(0)), TABLE) is source
    folds = Folds.by_group(TABLE, n_folds=2, seed=0)
    replay(TABLE, [contender], folds, points=operating_points(("best", "cheap")), split="2-fold")
    assert sorted(asked) == sorted(TABLE.prompt)


def test_a_model_that_was_not_tried_on_a_prompt_cannot_be_chosen_for_it() -> None:
    part = specialists()
    part.score[:, SAGE] = np.nan
    part.cost_usd[:, SAGE] = np.nan
    part.score[:3, SAGE], part.cost_usd[:3, SAGE] = 1.0, 0.01
    contender = LearnedContender(learner=TfidfRidge(), features=Lengths())
    folds = Folds.by_group(part, n_folds=2, seed=0)
    found = replay(part, [contender], folds, points=operating_points(knob=(0.0,)), split="2-fold")
    assert SAGE not in found.runs[0].choices[0].chosen[3:]


def test_no_operating_point_explores() -> None:
    assert all(point.options.explore is False for point in operating_points(("best",)))
    assert all((c.propensity == 1).all() for c in replayed().runs[0].choices)


def test_forecasts_are_kept_beside_the_choices() -> None:
    run = replayed().runs[0]
    chosen = run.choices[0]
    assert chosen.predicted_quality == pytest.approx(obtained(run.quality, chosen))
    assert np.isfinite(chosen.predicted_cost_usd).all()


def test_progress_is_told() -> None:
    told: list[tuple[str, int, int]] = []
    contender = LearnedContender(learner=TfidfRidge(), features=Lengths())
    replay(
        TABLE,
        [contender],
        Folds.by_group(TABLE, n_folds=2, seed=0),
        points=operating_points(knob=(0.0,)),
        split="2-fold",
        progress=lambda *seen: told.append(seen),
    )
    assert told[-1] == ("tfidf_ridge, fold 2 of 2", 120, 120)
    assert told[0] == ("tfidf_ridge, fold 1 of 2", 0, 120)  # before anything is learned


def test_a_leave_out_replay_judges_the_left_out_benchmark_alone() -> None:
    contender = LearnedContender(learner=TfidfRidge(), features=Lengths())
    folds = Folds.by_benchmark(TABLE, leave_out="poem")
    found = replay(TABLE, [contender], folds, points=operating_points(knob=(0.0,)), split="without poem")
    assert set(found.table.benchmark) == {"poem"}
    assert len(found.runs[0].choices[0].chosen) == len(found.reference("best_single").chosen) == 60


def test_the_knob_and_the_policies_are_asked_of_the_router_as_a_caller_would() -> None:
    swept, named = operating_points(("cheap",), knob=(2.5,))
    assert swept.options == RoutingOptions(policy="best", cost_quality_tradeoff=2.5, explore=False)
    assert named.options == RoutingOptions(policy="cheap", explore=False)


def test_the_willingness_to_pay_is_swept_in_multiples_of_what_a_dear_call_costs() -> None:
    paying = [p for p in operating_points(call_usd=0.01) if p.policy == PAY]
    assert (paying[0].point, paying[-1].point) == (0.01, 5.0)
    assert paying[0].options == RoutingOptions(policy="best", willingness_to_pay_usd=0.01, explore=False)


def test_rivals_are_asked_at_every_point_as_ours_is() -> None:
    ours, rival = (LearnedContender(learner=TfidfRidge(alpha=alpha), features=Lengths()) for alpha in (1.0, 9.0))
    points = operating_points(("best",), knob=(0.0, 5.0, 9.0, 10.0), call_usd=0.01)
    found = replay(TABLE, [ours, rival], Folds.by_group(TABLE, n_folds=2, seed=0), points=points, split="2-fold")
    asked = [(p.policy, p.point) for p in points]
    assert [[(c.policy, c.point) for c in run.choices] for run in found.runs] == [asked, asked]
