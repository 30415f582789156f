"""Does retrieval find the tools that requests need: methods side by side on labelled requests, with intervals.

`evaluate` fits each method on the usage of a `LabelledRegistry`, ranks its test requests and reports metrics, what cold
requests get beside the best method without usage (`ColdGap`), and the gain over retrieval by description (`Gain`).
`recall_by_usage` does so with use thinned to so many examples for each tool: the chart of docs/tools.md.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, TypedDict

import numpy as np
import numpy.typing as npt

from catalog import Floats
from eval.errors import UndefinedMetricError
from eval.intervals import GroupBootstrap, Interval
from predictors.encoders import Encoder
from predictors.tools import StackedRetriever, ToolRanking, ToolRetriever, ToolUsage, build_retriever

from .metrics import Hits
from .tables import LabelledRegistry

__all__ = [
    "DEPTH",
    "KNOW_NO_USAGE",
    "PAPER_GAINS",
    "ColdGap",
    "Gain",
    "MethodResult",
    "RegistryResult",
    "evaluate",
    "recall_by_usage",
    "thin_usage",
]

DEPTH: Final = 20
REFERENCE: Final = "dense"
"""Retrieval by description embeddings: what the paper's gains are gains over."""

PAPER_GAINS: Final[Mapping[str, float]] = {"ToolBench": 27.28, "ToolBank": 30.5}
"""Best gains in Recall@K over description retrieval, in points, as arXiv 2409.02141 states them.

K and the subset are not stated; its ToolBank baseline was trained with random negatives and is weak.
"""

KNOW_NO_USAGE: Final = ("dense", "bm25", "unused")
"""What methods that learn from usage are held against where a request's tools were never used."""

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodResult:
    """One method on one registry. Metrics are means over requests, in [0, 1]."""

    method: str
    metrics: dict[str, float]  # "R@5" and the like, over all test requests
    intervals: dict[str, Interval]
    seen: dict[str, float]  # over requests whose relevant tools were all used in train; empty where there are none
    seen_intervals: dict[str, Interval]
    cold: dict[str, float]  # over requests none of whose relevant tools was ever used in train
    cold_intervals: dict[str, Interval]
    fit_s: float
    rank_ms: float  # per request, in one batch
    choice: str | None  # what the method chose by cross-validation, where it chooses
    rankings: tuple[ToolRanking, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """A paired difference to description retrieval."""

    mean: float
    interval: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class ColdGap:
    """Recall@5 of cold requests less that of the method without usage that is best on them, paired."""

    best_without_usage: str
    mean: float
    interval: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryResult:
    """All methods on one registry."""

    name: str
    n_tools: int
    n_train: int
    n_test: int
    n_seen: int
    n_cold: int
    methods: tuple[MethodResult, ...]
    gains: dict[str, dict[str, Gain]]  # method -> metric -> gain over description retrieval
    cold_gaps: dict[str, ColdGap]  # method that knows usage -> how far it is; empty where no request is cold


def evaluate(
    labelled: LabelledRegistry,
    methods: Sequence[str],
    encoder: Encoder,
    *,
    clock: Clock,
    seed: int = 0,
    progress: Callable[[str], None] = lambda _: None,
    fitted: Mapping[str, ToolRetriever] = MappingProxyType({}),
    keep: Callable[[str, ToolRetriever], None] = lambda _name, _retriever: None,
) -> RegistryResult:
    """Fit every method on train, rank test, measure. Description retrieval is always among them.

    Retrievers in `fitted` are measured first and as they are, over their own registry; `keep` is shown every other
    one as soon as it is fitted.

    Test requests without labels are ranked and left out of every figure; without a single label there are no figures.
    """
    judged = _Judged.of(labelled, seed=seed)
    names = dict.fromkeys((REFERENCE, *fitted, *methods))
    unfitted = {name: build_retriever(name, encoder) for name in names if name not in fitted}  # unknown names end here
    results: list[MethodResult] = []
    values: dict[str, dict[str, Floats]] = {}
    for method in names:
        progress(method)
        begun = clock()
        retriever = fitted[method] if method in fitted else unfitted.pop(method).fit(labelled.registry, labelled.train)
        ready = clock()
        if method not in fitted:
            keep(method, retriever)
        started = clock()
        rankings = retriever.rank(labelled.test.queries, DEPTH)
        ranked = clock()
        values[method] = judged.measured(rankings)
        results.append(
            MethodResult(
                method=method,
                **judged.figures(values[method]),
                fit_s=ready - begun,
                rank_ms=1_000.0 * (ranked - started) / max(len(rankings), 1),
                choice=retriever.choice.chosen if isinstance(retriever, StackedRetriever) else None,
                rankings=tuple(rankings),
            )
        )
    return RegistryResult(
        name=labelled.name,
        n_tools=len(labelled.registry),
        n_train=len(labelled.train),
        n_test=len(judged.relevant),
        n_seen=int(judged.seen.sum()),
        n_cold=int(judged.cold.sum()),
        methods=tuple(results),
        gains={m: _gains(judged.of_all, values[m], values[REFERENCE]) for m in values if m != REFERENCE},
        cold_gaps=_cold_gaps(judged.of_cold, values, judged.cold),
    )


class _Figures(TypedDict):
    """The fields of `MethodResult` that say how well requests were served."""

    metrics: dict[str, float]
    intervals: dict[str, Interval]
    seen: dict[str, float]
    seen_intervals: dict[str, Interval]
    cold: dict[str, float]
    cold_intervals: dict[str, Interval]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """The test requests that are labelled, and whether their tools were used in train."""

    rows: tuple[int, ...]  # of the test requests
    relevant: tuple[tuple[str, ...], ...]  # (n_judged,)
    seen: npt.NDArray[np.bool_]  # (n_judged,) all of them were used
    cold: npt.NDArray[np.bool_]  # (n_judged,) none was
    of_all: GroupBootstrap
    of_seen: GroupBootstrap
    of_cold: GroupBootstrap

    @classmethod
    def of(cls, labelled: LabelledRegistry, *, seed: int) -> "_Judged":
        """Those of a registry."""
        rows = tuple(row for row, ids in enumerate(labelled.test.tool_ids) if ids)
        relevant = tuple(labelled.test.tool_ids[row] for row in rows)
        uses = labelled.uses
        used = np.array([sum(tool_id in uses for tool_id in ids) for ids in relevant])  # (n_judged,)
        seen, cold = used == [len(ids) for ids in relevant], used == 0
        of_all, of_seen, of_cold = (_bootstrap(chosen, seed) for chosen in (np.ones(len(rows), dtype=bool), seen, cold))
        return cls(rows=rows, relevant=relevant, seen=seen, cold=cold, of_all=of_all, of_seen=of_seen, of_cold=of_cold)

    def measured(self, rankings: Sequence[ToolRanking]) -> dict[str, Floats]:
        """Every metric of all test requests' rankings, (n_judged,) each; none where nothing is judged."""
        if not self.rows:
            return {}
        return measured(Hits.of([rankings[row].tool_ids for row in self.rows], self.relevant, depth=DEPTH))

    def figures(self, values: Mapping[str, Floats]) -> _Figures:
        """Means and intervals of what `measured` found: over all, over the seen and over the cold."""
        return {
            "metrics": _means(values),
            "intervals": _intervals(self.of_all, values),
            "seen": _means(values, self.seen),
            "seen_intervals": _intervals(self.of_seen, values, self.seen),
            "cold": _means(values, self.cold),
            "cold_intervals": _intervals(self.of_cold, values, self.cold),
        }


def measured(hits: Hits) -> dict[str, Floats]:
    """Every reported metric, one value per request."""
    return {
        **{f"R@{k}": hits.recall(k) for k in (1, 3, 5, 10, 20)},
        **{f"nDCG@{k}": hits.ndcg(k) for k in (5, 10)},
        **{f"COMP@{k}": hits.completeness(k) for k in (3, 5, 10)},
    }


def thin_usage(usage: ToolUsage, most: int) -> ToolUsage:
    """The usage left when no tool may have more than `most` requests, in the order of the usage."""
    counts: dict[str, int] = {}
    queries: list[str] = []
    kept: list[tuple[str, ...]] = []
    for query, ids in zip(usage.queries, usage.tool_ids, strict=True):
        wanted = tuple(tool_id for tool_id in ids if counts.get(tool_id, 0) < most)
        if wanted:
            queries.append(query)
            kept.append(wanted)
            for tool_id in wanted:
                counts[tool_id] = counts.get(tool_id, 0) + 1
    return ToolUsage.of(queries, kept)


def recall_by_usage(
    labelled: LabelledRegistry,
    methods: Sequence[str],
    encoder: Encoder,
    *,
    most: Sequence[int] = (0, 1, 2, 3, 5, 10, 20),
    k: int = 5,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, list[tuple[int, float]]]:
    """Mean recall@k of each method when every tool has at most so many usage examples; over labelled requests.

    Raises:
        UndefinedMetricError: no test request is labelled.
    """
    asked = [(query, ids) for query, ids in zip(labelled.test.queries, labelled.test.tool_ids, strict=True) if ids]
    if not asked:
        raise UndefinedMetricError("no test request is labelled, so there is no recall to draw")
    queries, relevant = zip(*asked, strict=True)
    curves: dict[str, list[tuple[int, float]]] = {method: [] for method in methods}
    for limit in most:
        thinned = thin_usage(labelled.train, limit)
        for method in methods:
            progress(f"{method}, at most {limit} uses per tool")
            rankings = build_retriever(method, encoder).fit(labelled.registry, thinned).rank(queries, k)
            hits = Hits.of([r.tool_ids for r in rankings], relevant, depth=k)
            curves[method].append((limit, float(hits.recall(k).mean())))
    return curves


def _means(values: Mapping[str, Floats], chosen: npt.NDArray[np.bool_] | None = None) -> dict[str, float]:
    if chosen is not None and not chosen.any():
        return {}
    return {name: float((column if chosen is None else column[chosen]).mean()) for name, column in values.items()}


def _bootstrap(chosen: npt.NDArray[np.bool_], seed: int) -> GroupBootstrap:
    """Over the chosen requests, each a group of its own; it wants one at least."""
    return GroupBootstrap(np.array([str(row) for row in np.flatnonzero(chosen)] or ["none"]), seed=seed)


def _intervals(
    bootstrap: GroupBootstrap, values: Mapping[str, Floats], chosen: npt.NDArray[np.bool_] | None = None
) -> dict[str, Interval]:
    if chosen is not None and not chosen.any():
        return {}
    columns = {name: column if chosen is None else column[chosen] for name, column in values.items()}
    return {name: bootstrap.of_difference(column, np.zeros_like(column)) for name, column in columns.items()}


def _cold_gaps(
    bootstrap: GroupBootstrap, values: Mapping[str, Mapping[str, Floats]], cold: npt.NDArray[np.bool_]
) -> dict[str, ColdGap]:
    if not cold.any():
        return {}
    recall = {method: of_method["R@5"][cold] for method, of_method in values.items()}
    best = max((m for m in recall if m in KNOW_NO_USAGE), key=lambda m: float(recall[m].mean()))
    return {
        method: ColdGap(
            best_without_usage=best,
            mean=float((column - recall[best]).mean()),
            interval=bootstrap.of_difference(column, recall[best]),
        )
        for method, column in recall.items()
        if method not in KNOW_NO_USAGE
    }


def _gains(bootstrap: GroupBootstrap, values: Mapping[str, Floats], reference: Mapping[str, Floats]) -> dict[str, Gain]:
    return {
        name: Gain(
            mean=float((column - reference[name]).mean()),
            interval=bootstrap.of_difference(column, reference[name]),
        )
        for name, column in values.items()
    }
