"""Two saved predictors decide about the same evidence, which the second was not trained on.

Where every model's score is known, scores are compared as they are, and right answers that turn wrong are counted. A
gateway's journal knows the score of the chosen model alone: there the difference is estimated doubly robustly
(`worth`), with the champion's forecasts as the reward model, from decisions whose prompt was kept and which were
rewarded. Where the two choose differently and the log could not have made one of the choices, nothing is known of the
difference: such decisions count as no difference, and their share is told. Costs in a journal are those that were
forecast when it was written.

Source: MUSCLE, arXiv 2407.09435 (negative flips).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from catalog import Floats, ModelProfile, Pool, PoolEntry, UnknownModelError
from catalog.capability.compatibility import Flips
from catalog.registry import Catalog
from eval.contenders.lineup import SHIPPED
from eval.errors import InvalidReplayError
from eval.intervals import GroupBootstrap, Interval
from eval.journal.logged_decisions import LoggedDecision
from eval.journal.value import bare_profile, check_told, choice_again, log_of, router_again
from eval.journal.worth import Target, worth_more, worth_of
from eval.outcomes.folds import Folds
from eval.outcomes.table import ReplayTable
from eval.policy.corpus import Side, outcome_corpus
from eval.policy.difference import Change, difference
from predictors import ForecastSource, Query
from predictors.forecaster import Forecaster
from predictors.quality.protocol import QualityEstimate
from predictors.trained_questions import TrainedQuestions
from router import Policy, RoutingOptions

__all__ = ["Contest", "Scores", "Trial", "judge_forecasts", "on_journal", "on_outcomes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """Who decides, and under which policy."""

    champion: Path | None  # None is the predictor that ships
    challenger: Path
    policy: str
    policies: Mapping[str, Policy]
    seed: int = 0  # of the bootstrap


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What both predictors made of the evidence."""

    n: int  # judged prompts
    left_out: int  # prompts that the challenger was trained on, and in a journal those of the champion's, too
    changed: float  # share of prompts that another model answers
    score: Change
    cost_usd: Change | None
    flips: tuple[Flips, ...]  # all prompts together, then each task; empty where only one model's score is known
    best_single: str | None  # the best single model of the evidence itself, which flatters it
    over_best_single: Interval | None  # of the challenger's mean score minus that model's
    explored: int | None = None  # in a journal, prompts that tell of differing choices made only to explore
    other_policy: float | None = None  # in a journal, share of decisions that were made under another policy than this
    without_support: float | None = None  # in a journal, share of decisions that change with nothing known of it


def on_outcomes(table: ReplayTable, contest: Contest) -> Trial:
    """Compare where several models' scores are known; nothing is fitted.

    Raises:
        InvalidReplayError: no prompt was put to two models, or fewer than two such questions are left that the
            challenger was not trained on.
    """
    known = TrainedQuestions.load(contest.challenger).among(table.prompt)
    has_choice = table.tried.sum(axis=1) > 1  # where one model alone was tried, any predictor is as good as any other
    if not has_choice.any():
        raise InvalidReplayError(
            f"{table.name}: no prompt was put to two models, so that no choice can be judged; give outcomes of several "
            "models on the same prompts"
        )
    fresh = table.take(np.flatnonzero(~known & has_choice))
    if len(np.unique(fresh.group)) < 2:
        raise InvalidReplayError(_nothing_left(len(table)))
    sides = (
        Side(policy=contest.policy, predictor=contest.champion or SHIPPED),
        Side(policy=contest.policy, predictor=contest.challenger),
    )
    # both are fitted already: folds only put every prompt before them once
    corpus = outcome_corpus(fresh, Folds.by_group(fresh, n_folds=2, seed=contest.seed), sides, contest.policies)
    found = difference(corpus.old, corpus.new, task=corpus.task, group=corpus.group, seed=contest.seed)
    if found.score is None:
        raise InvalidReplayError(f"{table.name}: no model that either predictor chose was tried on these prompts")
    single = np.where(fresh.covering, np.nanmean(fresh.score, axis=0), -np.inf).argmax()
    both = np.isfinite(corpus.new.score) & np.isfinite(fresh.score[:, single])  # (n_prompts,)
    over = GroupBootstrap(corpus.group[both], seed=contest.seed).of_difference(
        corpus.new.score[both], fresh.score[both, single]
    )
    return Trial(
        n=found.n,
        left_out=int(known.sum()),
        changed=found.changed,
        score=found.score,
        cost_usd=found.cost_usd,
        flips=found.flips,
        best_single=fresh.models[single],
        over_best_single=over,
    )


def on_journal(log: Sequence[LoggedDecision], contest: Contest) -> Trial:
    """Compare where one model's score is known, from choices logged with their propensity.

    Raises:
        InvalidReplayError: no decision is left with a reward, a kept prompt, two models to choose from, and a question
            that is new to both.
        MissingFactsError: the policy goes by facts that the journal does not keep.
    """
    check_told(contest.policy, contest.policies)
    usable = [d for d in log if d.reward is not None and d.has_prompt]
    if not usable:
        raise InvalidReplayError(
            "no decision of the journal has both feedback and its prompt; post feedback to /v1/feedback and set "
            'journal.prompts = "redacted" or "full"'
        )
    usable = [d for d in usable if d.eligible.sum() > 1]  # of a single candidate any predictor chooses the same
    if not usable:
        raise InvalidReplayError(
            "no decision of the journal had two models to choose from, so that no choice can be judged; give outcomes "
            "of several models on the same prompts (--on)"
        )
    prompts = [d.prompt for d in usable]
    known = TrainedQuestions.load(contest.challenger).among(prompts)
    if contest.champion is not None:  # its forecasts are the reward model, which may have seen none of these rewards
        known |= TrainedQuestions.load(contest.champion).among(prompts)
    fresh = [d for d, is_known in zip(usable, known.tolist(), strict=True) if not is_known]
    if not fresh:
        raise InvalidReplayError(_nothing_left(len(usable)))
    forecasts = (_Forecasts(contest.champion), _Forecasts(contest.challenger))
    return judge_forecasts(fresh, forecasts, contest, left_out=int(known.sum()))


class Scores(Protocol):
    """Expected scores of logged candidates."""

    def of(self, decision: LoggedDecision) -> QualityEstimate:
        """One row of them, (1, n_candidates)."""
        ...


def judge_forecasts(
    log: Sequence[LoggedDecision], forecasts: tuple[Scores, Scores], contest: Contest, *, left_out: int
) -> Trial:
    """Compare the choices that follow from a champion's and a challenger's scores, by what was logged.

    Raises:
        InvalidReplayError: in no decision may either choose anybody.
    """
    made = [(d, made) for d in log if (made := _made_again(d, forecasts, contest)) is not None]
    if not made:
        raise InvalidReplayError(
            f"in none of {len(log)} decisions may policy {contest.policy!r} choose anybody; judge by one that may"
        )
    return _tried(made, contest, left_out=left_out)


class _MadeAgain(NamedTuple):
    choices: tuple[int | None, int | None]  # the champion's and the challenger's; None is a refusal
    modelled: Floats  # what the champion forecasts, (n_candidates,)


def _tried(made: Sequence[tuple[LoggedDecision, _MadeAgain]], contest: Contest, *, left_out: int) -> Trial:
    log = log_of([d for d, _ in made])
    old, new = (_target(made, side) for side in (0, 1))
    changed = np.array([m.choices[0] != m.choices[1] for _, m in made], dtype=np.bool_)
    unknown = changed & ((old.propensity == 0) | (new.propensity == 0))
    bootstrap = GroupBootstrap(log.prompt, seed=contest.seed)
    more = worth_more(new, old, changed & ~unknown, log, bootstrap)
    known = np.flatnonzero(old.propensity != 0)
    rows = known if len(known) else np.arange(len(made))
    before = worth_of(old.take(rows), log.take(rows), GroupBootstrap(log.prompt[rows], seed=contest.seed))
    cost = np.array([[0.0 if c is None else d.cost_usd[c] for c in m.choices] for d, m in made])  # (n, 2)
    return Trial(
        n=len(made),
        left_out=left_out,
        changed=float(changed.mean()),
        score=Change(old=before.mean, new=before.mean + more.mean, difference=more.interval),
        cost_usd=_change(cost, bootstrap) if np.isfinite(cost).all() else None,
        flips=(),
        best_single=None,
        over_best_single=None,
        explored=more.explored,
        other_policy=sum(d.policy not in ("", contest.policy) for d, _ in made) / len(made),
        without_support=float(unknown.mean()),
    )


def _target(made: Sequence[tuple[LoggedDecision, _MadeAgain]], side: int) -> Target:
    """Of one of the two; a refusal is worth nothing, for sure."""
    choices = [m.choices[side] for _, m in made]
    modelled = [0.0 if c is None else m.modelled[c] for (_, m), c in zip(made, choices, strict=True)]
    propensity = [np.nan if c is None else d.propensities[c] for (d, _), c in zip(made, choices, strict=True)]
    return Target(
        modelled=np.array(modelled),
        propensity=np.array(propensity),
        told=np.array([c == d.chosen for (d, _), c in zip(made, choices, strict=True)], dtype=np.bool_),
        refused=np.array([c is None for c in choices], dtype=np.bool_),
    )


class _Forecasts:
    """One predictor's expected scores of logged candidates."""

    def __init__(self, path: Path | None) -> None:
        self._forecaster, self._catalog = Forecaster.load(path), Catalog.load()
        self._bound: dict[tuple[str, ...], ForecastSource] = {}

    def of(self, decision: LoggedDecision) -> QualityEstimate:
        """One row of expected scores."""
        names = decision.candidates
        if names not in self._bound:
            pool = Pool(PoolEntry(profile=self._profile(name), called=name) for name in names)
            self._bound[names] = self._forecaster.bind(pool)
        forecast = self._bound[names].forecast(Query(text=decision.prompt, input_tokens=decision.input_tokens))
        familiarity = np.array([forecast.familiarity])
        return QualityEstimate(mean=forecast.quality[None], se=forecast.quality_se[None], familiarity=familiarity)

    def _profile(self, name: str) -> ModelProfile:
        try:
            return self._catalog.resolve(name)
        except UnknownModelError:
            return bare_profile(name)  # of an overlay: what was learned of it by name still holds


def _made_again(decision: LoggedDecision, forecasts: tuple[Scores, Scores], contest: Contest) -> _MadeAgain | None:
    """Both choices; None where neither may choose anybody."""
    options = RoutingOptions(policy=contest.policy, explore=False)
    told = [one.of(decision) for one in forecasts]
    routers = [router_again(decision, contest.policies, quality=quality) for quality in told]
    old, new = (choice_again(decision, router, options) for router in routers)
    return None if old is new is None else _MadeAgain(choices=(old, new), modelled=told[0].mean[0])


def _change(columns: Floats, bootstrap: GroupBootstrap) -> Change:
    """Of a champion's and a challenger's values, (n_prompts, 2)."""
    old, new = columns.T
    return Change(old=float(old.mean()), new=float(new.mean()), difference=bootstrap.of_difference(new, old))


def _nothing_left(n: int) -> str:
    return (
        f"all {n} prompts of the evidence trained the challenger, or what it is compared with; judge it by others, "
        "such as those that came since"
    )
