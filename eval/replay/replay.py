"""Replay a table of outcomes through the real router, beside the rules it has to beat.

`replay` fits every contender fold by fold and lets `router.Router` decide about each judged prompt at every operating
point (two sweeps of a knob, then named policies: `.operating_points`). Reference rules (random, best single model,
oracle, per domain) need no router. Numbers are made of this in `eval.replay.summary`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from catalog import Floats
from eval.contenders import references
from eval.contenders.contender import Contender
from eval.outcomes.folds import Folds
from eval.outcomes.table import Bools, Ints, ReplayTable
from predictors import Forecasts, Query
from predictors.stages import Tell
from router import Decision, Policy, Router, RoutingError, RoutingRequest

from .operating_points import OperatingPoint

__all__ = ["Choices", "Replay", "Run", "obtained", "replay", "run_contender"]

_TOGETHER = 64  # prompts that are decided about together, and between two words on progress
_LONG_SHARES = (0.1, 0.25, 0.5, 0.75, 0.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What one rule at one operating point chose; arrays of shape (n_prompts,), NaN where nothing was forecast."""

    policy: str
    point: float | None
    chosen: Ints
    propensity: Floats
    predicted_quality: Floats
    predicted_quality_se: Floats
    predicted_cost_usd: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """All operating points of one contender, and the forecasts they rest on."""

    name: str
    choices: tuple[Choices, ...]
    quality: Floats  # (n_prompts, n_models), as forecast
    quality_se: Floats  # (n_prompts, n_models)
    decide_us: float  # mean time of one decision among those made together, without the forecast's


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Everything a report needs; all arrays speak of the judged prompts, in the table's order."""

    table: ReplayTable
    runs: tuple[Run, ...]
    references: tuple[Choices, ...]
    fold: Ints  # (n_prompts,) in which fold each was judged
    split: str  # how training and test prompts were kept apart

    def reference(self, name: str) -> Choices:
        """The choices of a reference rule."""
        return next(c for c in self.references if c.policy == name)


def replay(
    table: ReplayTable,
    contenders: Sequence[Contender],
    folds: Folds,
    *,
    points: Sequence[OperatingPoint],
    split: str,
    policies: Mapping[str, Policy] | None = None,
    seed: int = 0,
    progress: Tell | None = None,
) -> Replay:
    """Let every contender route every judged prompt, and the reference rules too.

    Args:
        table: what is replayed.
        contenders: the first is ours; each routes through `router.Router` at every point.
        folds: which prompts may be learned from before which are judged.
        points: how the router is asked.
        split: how the folds were made, for the report.
        policies: what points may name beside the presets.
        seed: of the random reference rule.
        progress: called with what is being done, how much of it is done, and of how much.
    """
    runs = tuple(
        run_contender(c, table, folds, points=points, policies=policies, progress=progress) for c in contenders
    )
    return Replay(
        table=table.take(folds.judged),
        runs=tuple(_judged(run, folds) for run in runs),
        references=tuple(_reference_choices(table, folds, seed=seed)),
        fold=folds.of_judged,
        split=split,
    )


def run_contender(
    contender: Contender,
    table: ReplayTable,
    folds: Folds,
    *,
    points: Sequence[OperatingPoint],
    policies: Mapping[str, Policy] | None = None,
    progress: Tell | None = None,
) -> Run:
    """Route every judged prompt through the router at every operating point, up to 64 prompts together.

    Candidates that were not tried on a prompt are unavailable to its decision, as if their backend were down.
    """
    ledger = _Ledger(table, points)
    decided_s, tried, done, of = 0.0, table.tried, 0, int(folds.judged.sum())
    rounds = list(folds)
    for number, (train, test) in enumerate(rounds, start=1):
        stage = f"{contender.name}, fold {number} of {len(rounds)}"
        if progress:  # before it learns, which may take longest
            progress(stage, done, of)
        source = contender.source(table.take(train), table.take(test))
        router = Router(source, policies=policies, explore=0.0)
        for rows in _tried_alike(test, tried):
            queries = [Query.from_prompt(table.prompt[row]) for row in rows]
            forecasts = source.forecasts(queries)
            ledger.expect(rows, forecasts)
            started = perf_counter()
            for turn, point in enumerate(points):
                ledger.enter(turn, rows, _decisions(router, queries, point, forecasts, tried[rows[0]]))
            decided_s += perf_counter() - started
            done += len(rows)
            if progress:
                progress(stage, done, of)
    return ledger.run(contender.name, decide_us=decided_s / max(done * len(points), 1) * 1e6)


def obtained(values: Floats, choices: Choices) -> Floats:
    """The chosen model's value on every prompt, shape (n_prompts,), from (n_prompts, n_models)."""
    return values[np.arange(len(choices.chosen)), choices.chosen]


def _tried_alike(rows: Ints, tried: Bools) -> Iterator[Ints]:
    """The rows on which the same candidates were tried, a few at a time."""
    _, kind = np.unique(tried[rows], axis=0, return_inverse=True)
    for one in range(kind.max(initial=-1) + 1):
        alike = rows[kind == one]
        yield from (alike[i : i + _TOGETHER] for i in range(0, len(alike), _TOGETHER))


def _decisions(
    router: Router, queries: Sequence[Query], point: OperatingPoint, forecasts: Forecasts, available: Bools
) -> list[Decision]:
    requests = [RoutingRequest(query=query, options=point.options) for query in queries]
    rng = np.random.default_rng(0)  # never drawn from: no operating point explores
    decided = list(router.decide_all(requests, rng=rng, available=available, at_no_load=forecasts))
    for decision in decided:
        if isinstance(decision, RoutingError):
            raise decision
    return [decision for decision in decided if isinstance(decision, Decision)]


class _Ledger:
    """What was forecast and chosen, prompt by prompt and point by point."""

    def __init__(self, table: ReplayTable, points: Sequence[OperatingPoint]) -> None:
        n, m = table.score.shape
        self._points = points
        self._chosen = np.full((len(points), n), -1)  # (n_points, n_prompts)
        self._propensity = np.full((len(points), n), np.nan)  # (n_points, n_prompts)
        self._quality, self._quality_se, self._cost_usd = np.full((3, n, m), np.nan)  # (n_prompts, n_models) each

    def expect(self, rows: Ints, forecasts: Forecasts) -> None:
        self._quality[rows], self._quality_se[rows] = forecasts.quality, forecasts.quality_se
        self._cost_usd[rows] = forecasts.cost_usd

    def enter(self, point: int, rows: Ints, decisions: Sequence[Decision]) -> None:
        self._chosen[point, rows] = [d.ranking[0] for d in decisions]
        self._propensity[point, rows] = [d.propensity for d in decisions]

    def run(self, name: str, *, decide_us: float) -> Run:
        rows = np.arange(len(self._quality))
        choices = tuple(
            Choices(
                policy=point.policy,
                point=point.point,
                chosen=chosen,
                propensity=propensity,
                predicted_quality=self._quality[rows, chosen],
                predicted_quality_se=self._quality_se[rows, chosen],
                predicted_cost_usd=self._cost_usd[rows, chosen],
            )
            for point, chosen, propensity in zip(self._points, self._chosen, self._propensity, strict=True)
        )
        return Run(name=name, choices=choices, quality=self._quality, quality_se=self._quality_se, decide_us=decide_us)


def _reference_choices(table: ReplayTable, folds: Folds, *, seed: int) -> list[Choices]:
    rng = np.random.default_rng(seed)
    chosen: dict[tuple[str, float | None], Ints] = {}

    def put(name: str, test: Ints, choice: Ints, point: float | None = None) -> None:
        chosen.setdefault((name, point), np.full(len(table), -1))[test] = choice

    for train_rows, test_rows in folds:
        train, test = table.take(train_rows), table.take(test_rows)
        put("random", test_rows, references.random_choice(test, rng))
        put("best_single", test_rows, references.best_single(train, test))
        put("cheapest_single", test_rows, references.cheapest_single(train, test))
        put("dearest_single", test_rows, references.dearest_single(train, test))
        put("per_domain_best", test_rows, references.per_domain_best(train, test))
        put("oracle", test_rows, references.oracle(test))
        put("cheapest_oracle", test_rows, references.cheapest_oracle(test))
        for share in _LONG_SHARES:
            choice = references.length_threshold(train, test, long_share=share)
            put("length_threshold", test_rows, choice, share)
    return [_sure(name, point, choice[folds.judged]) for (name, point), choice in chosen.items()]


def _sure(policy: str, point: float | None, chosen: Ints) -> Choices:
    nothing = np.full(len(chosen), np.nan)
    return Choices(
        policy=policy,
        point=point,
        chosen=chosen,
        propensity=np.ones(len(chosen)),
        predicted_quality=nothing,
        predicted_quality_se=nothing,
        predicted_cost_usd=nothing,
    )


def _judged(run: Run, folds: Folds) -> Run:
    rows = folds.judged
    return Run(
        name=run.name,
        choices=tuple(
            Choices(
                policy=c.policy,
                point=c.point,
                chosen=c.chosen[rows],
                propensity=c.propensity[rows],
                predicted_quality=c.predicted_quality[rows],
                predicted_quality_se=c.predicted_quality_se[rows],
                predicted_cost_usd=c.predicted_cost_usd[rows],
            )
            for c in run.choices
        ),
        quality=run.quality[rows],
        quality_se=run.quality_se[rows],
        decide_us=run.decide_us,
    )
