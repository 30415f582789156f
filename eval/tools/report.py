"""Results of tool retrieval as tables for people, JSON for machines, and rankings in Parquet."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from eval.intervals import Interval

from .retrieval import PAPER_GAINS, MethodResult, RegistryResult
from .tables import LabelledRegistry

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["json_report", "terminal_report", "write_rankings"]

_SHOWN = ("R@1", "R@3", "R@5", "R@10", "R@20", "nDCG@5", "nDCG@10", "COMP@3", "COMP@5", "COMP@10")


def terminal_report(result: RegistryResult) -> list["RenderableType"]:
    """A table of one registry, in percent, and every method's gain over description retrieval, beside the paper's."""
    table = Table(
        title=f"{result.name}: {result.n_tools} tools, {result.n_train} train, {result.n_test} test requests "
        f"({result.n_seen} with all tools seen in use, {result.n_cold} with none)"
    )
    table.add_column("method")
    for name in (*_SHOWN, "R@5 seen", "R@5 cold", "fit s", "ms/query"):
        table.add_column(name, justify="right")
    for row in result.methods:
        label = row.method if row.choice is None else f"{row.method} ({row.choice})"
        cells = [_cell(row, name) for name in _SHOWN]
        groups = ((row.seen, row.seen_intervals), (row.cold, row.cold_intervals))
        split = [_percent(means["R@5"], intervals["R@5"]) if means else "-" for means, intervals in groups]
        table.add_row(label, *cells, *split, f"{row.fit_s:.1f}", f"{row.rank_ms:.1f}")
    lines: list[RenderableType] = [table]
    for method, gains in result.gains.items():
        if "R@5" not in gains:  # nothing was labelled
            continue
        gain = gains["R@5"]
        lines.append(
            f"  {method} over description retrieval: {100 * gain.mean:+.1f} points of R@5 "
            f"[{100 * gain.interval.lower:+.1f}, {100 * gain.interval.upper:+.1f}]"
        )
    if len(lines) > 1:
        best = " and ".join(f"+{points:g} on {bank}" for bank, points in PAPER_GAINS.items())
        lines.append(f"  (at best {best} in Recall@K, K not stated: Tool2Vec, arXiv 2409.02141, on other registries)")
    lines += [
        f"  {method} on cold requests: {100 * gap.mean:+.1f} points of R@5 to {gap.best_without_usage} "
        f"[{100 * gap.interval.lower:+.1f}, {100 * gap.interval.upper:+.1f}]"
        for method, gap in result.cold_gaps.items()
    ]
    return lines


def json_report(results: Sequence[RegistryResult], *, encoder: str) -> dict[str, object]:
    """All numbers; metrics in [0, 1], the paper's gains in points."""
    return {
        "encoder": encoder,
        "paper_best_gain_in_recall_points": dict(PAPER_GAINS),
        "registries": [
            {
                "registry": result.name,
                "tools": result.n_tools,
                "train_queries": result.n_train,
                "test_queries": result.n_test,
                "test_queries_seen": result.n_seen,
                "test_queries_cold": result.n_cold,
                "methods": {row.method: _method(row) for row in result.methods},
                "gain_over_descriptions": {
                    method: {name: {"mean": gain.mean, **_bounds(gain.interval)} for name, gain in gains.items()}
                    for method, gains in result.gains.items()
                },
                "cold_gap_in_recall_at_5": {
                    method: {"to": gap.best_without_usage, "mean": gap.mean, **_bounds(gap.interval)}
                    for method, gap in result.cold_gaps.items()
                },
            }
            for result in results
        ],
    }


def write_rankings(path: Path, labelled: LabelledRegistry, row: MethodResult) -> None:
    """One line per test request: `query_id`, `tool_ids` (best first) and their `scores`."""
    import polars as pl  # noqa: PLC0415 - heavy, and needed only to write

    pl.DataFrame(
        {
            "query_id": list(labelled.test_ids),
            "tool_ids": [list(ranking.tool_ids) for ranking in row.rankings],
            "scores": [ranking.scores.tolist() for ranking in row.rankings],
        },
        schema_overrides={"tool_ids": pl.List(pl.String), "scores": pl.List(pl.Float64)},
    ).write_parquet(path)


def _method(row: MethodResult) -> dict[str, object]:
    return {
        "metrics": row.metrics,
        "intervals": {name: _bounds(interval) for name, interval in row.intervals.items()},
        "seen": row.seen,
        "seen_intervals": {name: _bounds(interval) for name, interval in row.seen_intervals.items()},
        "cold": row.cold,
        "cold_intervals": {name: _bounds(interval) for name, interval in row.cold_intervals.items()},
        "fit_s": row.fit_s,
        "rank_ms": row.rank_ms,
        "choice": row.choice,
    }


def _cell(row: MethodResult, name: str) -> str:
    if name not in row.metrics:
        return "-"
    return _percent(row.metrics[name], row.intervals[name] if name == "R@5" else None)


def _bounds(interval: Interval) -> dict[str, float]:
    return {"lower": interval.lower, "upper": interval.upper}


def _percent(value: float, interval: Interval | None = None) -> str:
    if interval is None:
        return f"{100 * value:.1f}"
    return f"{100 * value:.1f} [{100 * interval.lower:.0f}, {100 * interval.upper:.0f}]"
