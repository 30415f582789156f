"""Two saved predictors decide about the same evidence, which the second was not trained on.

Where every model's score is known, scores are compared as they are, and right answers that turn wrong are counted. A
gateway's journal knows the score of the chosen model alone: there the value of either predictor is estimated doubly
robustly, with the champion's forecasts as the reward model, from decisions whose prompt was kept and which were
rewarded. Costs in a journal are those that were forecast when it was written.

Source: Dudik et al., ICML 2011 (doubly robust); MUSCLE, arXiv 2407.09435 (negative flips).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from catalog import Floats, ModelProfile, Pool, PoolEntry, UnknownModelError
from catalog.capability.compatibility import Flips
from catalog.registry import Catalog
from predictors import ForecastSource, Query
from predictors.forecaster import Forecaster
from predictors.quality.protocol import QualityEstimate
from predictors.trained_questions import TrainedQuestions
from router import Policy, RoutingOptions

from .errors import InvalidReplayError
from .folds import Folds
from .intervals import GroupBootstrap, Interval
from .journal_value import bare_profile, check_told, choice_again, router_again
from .lineup import SHIPPED
from .logged_decisions import LoggedDecision
from .off_policy import LoggedChoices, doubly_robust_terms
from .policy_corpus import Side, outcome_corpus
from .policy_difference import Change, difference
from .table import ReplayTable

__all__ = ["Contest", "Trial", "on_journal", "on_outcomes"]


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
    left_out: int  # prompts that the challenger was trained on
    changed: float  # share of prompts that another model answers
    score: Change
    cost_usd: Change | None
    flips: tuple[Flips, ...]  # all prompts together, then each task; empty where only one model's score is known
    best_single: str | None  # the best single model of the evidence itself, which flatters it
    over_best_single: Interval | None  # of the challenger's mean score minus that model's


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
        InvalidReplayError: no decision is left with a reward, a kept prompt, and a question that is new to the
            challenger.
        MissingFactsError: the policy goes by facts that the journal does not keep.
    """
    check_told(contest.policy, contest.policies)
    usable = [d for d in log if d.reward is not None and d.has_prompt]
    if not usable:
        raise InvalidReplayError(
            "no decision of the journal has both feedback and its prompt; post feedback to /v1/feedback and set "
            'journal.prompts = "redacted" or "full"'
        )
    known = TrainedQuestions.load(contest.challenger).among([d.prompt for d in usable])
    fresh = [d for d, is_known in zip(usable, known.tolist(), strict=True) if not is_known]
    forecasts = (_Forecasts(contest.champion), _Forecasts(contest.challenger))
    made = [(d, made) for d in fresh if (made := _made_again(d, forecasts, contest)) is not None]
    if not made:
        raise InvalidReplayError(_nothing_left(len(usable)))
    group = np.array([d.prompt for d, _ in made], dtype=np.str_)
    value, cost = (np.array([getattr(m, name) for _, m in made]) for name in ("value", "cost_usd"))  # (n, 2) each
    bootstrap = GroupBootstrap(group, seed=contest.seed)
    return Trial(
        n=len(made),
        left_out=int(known.sum()),
        changed=sum(m.changed for _, m in made) / len(made),
        score=_change(value, bootstrap),
        cost_usd=_change(cost, bootstrap) if np.isfinite(cost).all() else None,
        flips=(),
        best_single=None,
        over_best_single=None,
    )


class _MadeAgain(NamedTuple):
    value: tuple[float, float]  # of the champion's choice and of the challenger's, doubly robust
    cost_usd: tuple[float, float]
    changed: bool


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


def _made_again(
    decision: LoggedDecision, forecasts: tuple[_Forecasts, _Forecasts], contest: Contest
) -> _MadeAgain | None:
    """Both choices and what they are worth; None where neither may choose anybody."""
    options = RoutingOptions(policy=contest.policy, explore=False)
    told = [one.of(decision) for one in forecasts]
    routers = [router_again(decision, contest.policies, quality=quality) for quality in told]
    choices = [choice_again(decision, router, options) for router in routers]
    if choices == [None, None]:
        return None
    old, new = (_worth(decision, choice, told[0].mean[0]) for choice in choices)
    return _MadeAgain(value=(old[0], new[0]), cost_usd=(old[1], new[1]), changed=choices[0] != choices[1])


def _worth(decision: LoggedDecision, choice: int | None, modelled: Floats) -> tuple[float, float]:
    """The doubly robust value of a choice, by this reward model, and its cost; a refusal has neither."""
    if choice is None:
        return 0.0, 0.0
    logged = LoggedChoices(
        reward=np.array([decision.reward]),
        logged=np.array([decision.propensity]),
        target=np.array([float(choice == decision.chosen)]),
        modelled=modelled[[decision.chosen]],
        modelled_value=modelled[[choice]],
    )
    return float(doubly_robust_terms(logged)[0]), float(decision.cost_usd[choice])


def _change(columns: Floats, bootstrap: GroupBootstrap) -> Change:
    """Of a champion's and a challenger's values, (n_prompts, 2)."""
    old, new = columns.T
    return Change(old=float(old.mean()), new=float(new.mean()), difference=bootstrap.of_difference(new, old))


def _nothing_left(n: int) -> str:
    return f"all {n} prompts of the evidence trained the challenger; judge it by others, such as those that came since"
