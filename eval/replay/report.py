"""What a replay found, for people (terminal, HTML) and for machines (JSON, Parquet)."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path

import numpy as np
from rich.console import Group
from rich.table import Table
from rich.text import Text

from eval.charts.cost_quality import Curve, Mark, cost_quality_chart
from eval.intervals import Interval

from .curves import CurveSummary
from .pairs import PairSummary
from .points import PointSummary
from .replay import Replay
from .summary import Summary

__all__ = ["Outputs", "chart", "html_page", "json_report", "terminal_report", "write_decisions", "write_outputs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """Files to write; None writes none."""

    decisions: Path | None = None  # Parquet
    html: Path | None = None
    svg: Path | None = None  # the first table's chart
    report: Path | None = None  # JSON


_MARKED = ("best_single", "random", "cheapest_single", "per_domain_best", "oracle")
_POINT_HEAD = ("rule", "knob", "score", "vs best single (95 %)", "cost share", "best found", "most chosen")
_CURVE_HEAD = (
    "curve",
    "peak",
    "at its cost",
    "vs best single (95 %)",
    "on other folds (95 %)",
    "equal at cost (95 %)",
    "AIQ",
    "ECE",
    "90 % covers",
)
_PAIR_HEAD = ("rule", "benchmark", "APGR (95 %)", "CPT 20 %", "CPT 50 %", "CPT 80 %")


def terminal_report(summary: Summary) -> Group:
    """Tables for a terminal: the curves, the operating points, and the pair measures where there are two models."""
    parts: list[Table | Text] = [Text(_headline(summary), style="bold")]
    parts.append(_rich_table("Curves: costs are shares of the best single model's", _CURVE_HEAD, _curve_rows(summary)))
    parts.append(_rich_table("Operating points", _POINT_HEAD, _point_rows(summary, of_rivals=False)))
    if summary.pairs:
        parts.append(_rich_table("Two models", _PAIR_HEAD, _pair_rows(summary)))
    if summary.flips:
        rates = ", ".join(f"{kind} {_number(rate, '.1%')}" for kind, rate in summary.flips.items())
        parts.append(Text(f"Decisions of `balanced` that change with the prompt's look: {rates}"))
    return Group(*parts)


def json_report(summary: Summary) -> dict[str, object]:
    """The summary as plain JSON values; an undefined number is null."""
    cleaned = _without_nan(asdict(summary))
    assert isinstance(cleaned, dict)  # noqa: S101  # a dataclass gives a dict
    return cleaned


def chart(summary: Summary) -> str:
    """The cost-quality curves as SVG; ours is the thick one."""
    return cost_quality_chart(
        f"{summary.table}: {summary.n_prompts} prompts, {summary.n_models} models", _lines(summary), _marks(summary)
    )


def html_page(summaries: Sequence[Summary]) -> str:
    """One page without scripts or references: the charts, and every table."""
    sections = [
        f"<h2>{escape(_headline(s))}</h2>{chart(s)}{_html_table(_CURVE_HEAD, _curve_rows(s))}"
        f"{_html_table(_POINT_HEAD, _point_rows(s))}{_html_table(_PAIR_HEAD, _pair_rows(s)) if s.pairs else ''}"
        for s in summaries
    ]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>ParetoGate replay</title><style>'
        "body{font:14px/1.5 sans-serif;max-width:1000px;margin:2em auto;padding:0 1em}svg{max-width:100%}"
        "table{border-collapse:collapse;margin:1em 0}td,th{padding:.2em .8em;border-bottom:1px solid #ddd;"
        "text-align:right}td:first-child,th:first-child{text-align:left}</style>"
        f"<h1>ParetoGate replay</h1>{''.join(sections)}</html>\n"
    )


def write_outputs(results: Sequence[tuple[Replay, Summary]], outputs: Outputs) -> None:
    """Write the files that were asked for."""
    summaries = [summary for _, summary in results]
    if outputs.decisions is not None:
        write_decisions([replayed for replayed, _ in results], outputs.decisions)
    if outputs.html is not None:
        outputs.html.write_text(html_page(summaries), encoding="utf-8")
    if outputs.svg is not None:
        outputs.svg.write_text(chart(summaries[0]), encoding="utf-8")
    if outputs.report is not None:
        outputs.report.write_text(json.dumps([json_report(s) for s in summaries], indent=1), encoding="utf-8")


def write_decisions(replayed: Sequence[Replay], path: Path) -> int:
    """One row per table, prompt and operating point, as Parquet; returns how many."""
    import polars as pl  # noqa: PLC0415  # heavy, and needed only here

    frames = []
    for one in replayed:
        models = np.array(one.table.models)
        named = [(c.policy, c) for c in one.references]
        named += [(f"{run.name}/{c.policy}", c) for run in one.runs for c in run.choices]
        frames += [
            pl.DataFrame(
                {
                    "dataset": one.table.name,
                    "prompt_id": one.table.prompt_id,
                    "policy": policy,
                    "point": choices.point,
                    "model": models[choices.chosen],
                    "propensity": choices.propensity,
                    "predicted_quality": choices.predicted_quality,
                    "predicted_quality_se": choices.predicted_quality_se,
                    "predicted_cost_usd": choices.predicted_cost_usd,
                },
                schema_overrides={"point": pl.Float64},
                nan_to_null=True,
            )
            for policy, choices in named
        ]
    decisions = pl.concat(frames)
    decisions.write_parquet(path)
    return decisions.height


def _headline(summary: Summary) -> str:
    return (
        f"{summary.table}: {summary.n_prompts} prompts, {summary.n_models} models, {summary.split}; "
        f"best single model: {summary.best_single}"
    )


def _lines(summary: Summary) -> list[Curve]:
    by_name: dict[str, list[PointSummary]] = {}
    for point in summary.points:
        if point.point is not None and math.isfinite(point.cost_share):
            by_name.setdefault(point.name.partition("/")[0], []).append(point)
    curves = []
    best = next(p for p in summary.points if p.name == "best_single").score
    for name, points in by_name.items():
        in_order = sorted(points, key=lambda p: p.cost_share)
        curves.append(
            Curve(
                name=name,
                points=tuple((p.cost_share, p.score) for p in in_order),
                labels=tuple(f"{p.point:.3g}" for p in in_order),
                intervals=tuple((best + p.gain_interval.lower, best + p.gain_interval.upper) for p in in_order)
                if name == summary.curves[0].name
                else (),
            )
        )
    return sorted(curves, key=lambda c: c.name == "length_threshold")  # rules last, ours stays first


def _marks(summary: Summary) -> list[Mark]:
    points = {p.name: p for p in summary.points}
    best = points["best_single"].score
    return [
        Mark(
            name=name.replace("_", " "),
            point=(points[name].cost_share, points[name].score),
            interval=None
            if name == "best_single"
            else (best + points[name].gain_interval.lower, best + points[name].gain_interval.upper),
        )
        for name in _MARKED
        if math.isfinite(points[name].cost_share)
    ]


def _curve_rows(summary: Summary) -> list[tuple[str, ...]]:
    def row(c: CurveSummary) -> tuple[str, ...]:
        return (
            c.name,
            f"{c.peak:.4f}",
            _number(c.score_at_best_single_cost, ".4f"),
            _span(c.gain_at_best_single_cost, "+.4f"),
            _span(c.gain_chosen_elsewhere_interval, "+.4f"),
            f"{_number(c.equal_quality_cost, '.3f')} {_span(c.equal_quality_interval, '.3f')}",
            _number(c.aiq, ".4f"),
            _number(c.calibration_error, ".4f"),
            _number(c.interval_coverage, ".3f"),
        )

    return [row(c) for c in summary.curves]


def _point_rows(summary: Summary, *, of_rivals: bool = True) -> list[tuple[str, ...]]:
    ours = summary.curves[0].name
    return [
        (
            p.name,
            "" if p.point is None else f"{p.point:.3g}",
            f"{p.score:.4f}",
            f"{p.gain:+.4f} {_span(p.gain_interval, '+.4f')}",
            _number(p.cost_share, ".3f"),
            f"{p.best_identified:.3f}",
            f"{p.most_chosen} {p.most_chosen_share:.0%}",
        )
        for p in summary.points
        if of_rivals or p.point is None or p.name.startswith(f"{ours}/")
    ]


def _pair_rows(summary: Summary) -> list[tuple[str, ...]]:
    def row(p: PairSummary) -> tuple[str, ...]:
        cpt = [_number(share, ".1%") for share in (p.cpt20, p.cpt50, p.cpt80)]
        return (p.name, p.benchmark, f"{p.apgr:.4f} {_span(p.apgr_interval, '.4f')}", *cpt)

    return [row(p) for p in summary.pairs]


def _number(value: float | None, form: str) -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:{form}}"


def _span(interval: Interval, form: str) -> str:
    return f"[{_number(interval.lower, form)}, {_number(interval.upper, form)}]"


def _rich_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(title=title, title_justify="left")
    for index, name in enumerate(head):
        table.add_column(name, justify="left" if index == 0 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def _html_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>"


def _without_nan(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
