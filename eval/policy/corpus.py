"""A corpus as two policies route it: outcomes (judged by folds), bare prompts, or a gateway's journal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from catalog import Floats, Pool, PoolEntry
from catalog.registry import Catalog
from eval.contenders.contender import Contender
from eval.contenders.lineup import SHIPPED, lineup
from eval.errors import InvalidReplayError
from eval.journal.logged_decisions import LoggedDecision
from eval.journal.value import check_told, conversation_of, router_again
from eval.outcomes.folds import Folds
from eval.outcomes.table import Bools, Ints, ReplayTable
from predictors import ForecastSource, InvalidOutcomesError, Query
from predictors.forecaster import Forecaster
from predictors.stages import Tell
from router import NoEligibleModelError, Policy, Router, RoutingOptions
from router.session import SessionState

from .difference import REFUSED, Routed

__all__ = ["Corpus", "Side", "journal_corpus", "outcome_corpus", "priced_pool", "prompt_corpus", "read_prompts"]

_TELL_EVERY = 50  # prompts between two words on progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two policies, and the predictor that it decides by."""

    policy: str
    predictor: Path | None = None  # as `lineup` takes it: None learns from the corpus itself, fold by fold

    @property
    def options(self) -> RoutingOptions:
        """How the router is asked; nothing explores."""
        return RoutingOptions(policy=self.policy, explore=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Prompts with what two policies made of them."""

    task: tuple[str, ...]  # (n_prompts,)
    group: npt.NDArray[np.str_]  # (n_prompts,)
    old: Routed
    new: Routed


class _Log:
    """Decisions of one policy, one after another; `names` are the candidates', where the pool's ids are not wanted."""

    def __init__(self, names: Sequence[str] | None = None) -> None:
        self._names = names
        self.chosen: list[str] = []
        self._told: list[tuple[float, float, float, float]] = []

    def enter(
        self,
        router: Router,
        query: Query,
        options: RoutingOptions,
        *,
        available: Bools | None = None,
        session: SessionState | None = None,
        outcome: tuple[Floats, Floats] | None = None,
    ) -> None:
        """Decide, and keep it; `outcome` holds every candidate's score and cost, where they are known."""
        try:
            decision = router.decide(query, options, rng=_NEVER_DRAWN_FROM, session=session, available=available)
        except NoEligibleModelError:
            self.chosen.append(REFUSED)
            # a refusal costs nothing and is worth nothing; without outcomes it is no figure at all
            self._told.append((np.nan, np.nan, *((np.nan, np.nan) if outcome is None else (0.0, 0.0))))
            return
        first = decision.ranking[0]
        self.chosen.append((self._names or decision.pool.ids)[first])
        had = (np.nan, np.nan) if outcome is None else (float(outcome[0][first]), float(outcome[1][first]))
        self._told.append((float(decision.forecast.quality[first]), float(decision.forecast.cost_usd[first]), *had))

    def routed(self, order: Ints | None = None) -> Routed:
        """All of it; `order` puts the entries into the corpus's order."""
        table = np.array(self._told, dtype=np.float64).reshape(-1, 4)  # (n_prompts, 4)
        at = np.arange(len(table)) if order is None else order
        quality, cost, score, paid = table[at].T
        return Routed(
            chosen=tuple(self.chosen[i] for i in at),
            predicted_quality=quality,
            predicted_cost_usd=cost,
            score=score,
            cost_usd=paid,
        )


_NEVER_DRAWN_FROM = np.random.default_rng(0)  # no policy here explores


def outcome_corpus(
    table: ReplayTable,
    folds: Folds,
    sides: tuple[Side, Side],
    policies: Mapping[str, Policy],
    *,
    progress: Tell | None = None,
) -> Corpus:
    """Both policies route every judged prompt; a model that was not tried on it is unavailable.

    A predictor that learns does so on the other folds. What a policy refuses scores 0 and costs nothing.
    """
    contenders: dict[Path | None, Contender] = {side.predictor: lineup(side.predictor)[0] for side in sides}
    logs = (_Log(table.models), _Log(table.models))  # as the corpus calls them
    rows: list[int] = []
    tried, of, rounds = table.tried, int(folds.judged.sum()), list(folds)
    for number, (train, test) in enumerate(rounds, start=1):
        stage = f"fold {number} of {len(rounds)}"
        if progress:  # before anything is learned, which may take longest
            progress(stage, len(rows), of)
        sources = {key: c.source(table.take(train), table.take(test)) for key, c in contenders.items()}
        routers = [Router(sources[side.predictor], policies=policies, explore=0.0) for side in sides]
        for row in test.tolist():
            query, outcome = Query.from_prompt(table.prompt[row]), (table.score[row], table.cost_usd[row])
            for log, router, side in zip(logs, routers, sides, strict=True):
                log.enter(router, query, side.options, available=tried[row], outcome=outcome)
            rows.append(row)
            _tell(progress, stage, len(rows), of)
    order = np.argsort(rows)
    judged = np.sort(np.array(rows, dtype=np.int64))
    return Corpus(
        task=tuple(table.benchmark[judged].tolist()),
        group=table.group[judged],
        old=logs[0].routed(order),
        new=logs[1].routed(order),
    )


def prompt_corpus(
    prompts: Sequence[str],
    pool: Pool,
    sides: tuple[Side, Side],
    policies: Mapping[str, Policy],
    *,
    progress: Tell | None = None,
) -> Corpus:
    """Both policies route prompts without outcomes; a side that names no predictor decides by the shipped one."""
    sources: dict[Path | None, ForecastSource] = {
        side.predictor: Forecaster.load(None if side.predictor == SHIPPED else side.predictor).bind(pool)
        for side in sides
    }
    routers = [Router(sources[side.predictor], policies=policies, explore=0.0) for side in sides]
    logs = (_Log(), _Log())
    _tell(progress, "deciding", 0, len(prompts))
    for done, prompt in enumerate(prompts, start=1):
        query = Query.from_prompt(prompt)
        for log, router, side in zip(logs, routers, sides, strict=True):
            log.enter(router, query, side.options)
        _tell(progress, "deciding", done, len(prompts))
    return _unjudged("prompts", prompts, logs)


def journal_corpus(
    log: Sequence[LoggedDecision],
    sides: tuple[Side, Side],
    policies: Mapping[str, Policy],
    *,
    progress: Tell | None = None,
) -> Corpus:
    """Both policies decide again what a gateway decided, by the forecasts that it journalled.

    Raises:
        InvalidReplayError: a side brings a predictor, or the journal has no decision.
        MissingFactsError: a policy goes by facts that the journal does not keep.
    """
    if any(side.predictor is not None for side in sides):
        raise InvalidReplayError("a journal is decided again by its own forecasts: name policies without @PREDICTOR")
    for side in sides:
        check_told(side.policy, policies)
    logs = (_Log(), _Log())
    _tell(progress, "deciding", 0, len(log))
    for done, logged in enumerate(log, start=1):
        router = router_again(logged, policies)
        query = Query(text=logged.prompt, input_tokens=logged.input_tokens)
        for kept, side in zip(logs, sides, strict=True):
            kept.enter(router, query, side.options, available=logged.eligible, session=conversation_of(logged))
        _tell(progress, "deciding", done, len(log))
    return _unjudged("journal", [logged.decision_id for logged in log], logs)


def read_prompts(path: Path) -> tuple[str, ...] | None:
    """The prompts of a table without scores (CSV, JSONL, Parquet); None where it has a score, and so is outcomes.

    Raises:
        InvalidOutcomesError: the file has no column `prompt`, or no row in it.
    """
    import polars as pl  # noqa: PLC0415 - heavy, and needed only here

    from predictors.outcomes import read_table_file  # noqa: PLC0415 - it loads polars

    table = read_table_file(path)
    if "score" in table.columns:
        return None
    if "prompt" not in table.columns:
        raise InvalidOutcomesError(
            f"{path}: column 'prompt' is missing (it has {', '.join(table.columns)}); one prompt a row is all it needs"
        )
    prompts = table.get_column("prompt").drop_nulls().cast(pl.String).unique(maintain_order=True).to_list()
    if not prompts:
        raise InvalidOutcomesError(f"{path}: no row has a prompt")
    return tuple(prompts)


def priced_pool(catalog: Catalog, globs: Sequence[str]) -> Pool:
    """The models of the catalog that these patterns match and whose price is known.

    Raises:
        InvalidReplayError: fewer than two match.
    """
    entries = [PoolEntry(profile=profile) for profile in catalog.match(globs) if profile.price is not None]
    if len(entries) < 2:
        raise InvalidReplayError(
            f"--pool {' '.join(globs)} matches {len(entries)} priced models; a policy needs two to choose from"
        )
    return Pool(entries)


def _unjudged(task: str, keys: Sequence[str], logs: tuple[_Log, _Log]) -> Corpus:
    if not keys:
        raise InvalidReplayError("the corpus has no decision to make again")
    return Corpus(
        task=(task,) * len(keys), group=np.array(keys, dtype=np.str_), old=logs[0].routed(), new=logs[1].routed()
    )


def _tell(progress: Tell | None, stage: str, done: int, of: int) -> None:
    if progress and done % _TELL_EVERY == 0:
        progress(stage, done, of)
