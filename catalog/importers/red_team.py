"""Results of red teaming as facts of a catalog: how harmful, biased or risky with tools a model proved to be.

A table (CSV, JSON lines or Parquet) is of one of three kinds, told by its columns:

    answers   model, prompt, dimension, harm [, judge]         harm: probability in [0, 1] on one dimension
    runs      model, scenario, misaligned [, pressure, names]  misaligned: 1 where a tool was called that must not be;
                                                               pressure: a number; names: what the tools are called
    groups    model, group, score                              score in [0, 1] of one case about one group of people

Answers give the tail of the log-risk over prompts (`risk_cvar95`) and the mean harm, runs the share of misaligned ones
at the highest pressure (`agent_risk`, after PropensityBench, arXiv 2511.20703), groups the spread between groups
(`bias`, after CALM, arXiv 2308.12539).
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from catalog.capability.tail_risk import judges_agree, log_risk, tail_risk, union_of_failures
from catalog.errors import ImportFailedError
from catalog.pools.pool import Floats
from catalog.profiles.measurement import Measurement

from .outcome_scores import table_rows

__all__ = ["read_red_team", "red_team_overlay"]

_FIELDS = frozenset({"risk_cvar95", "harm", "agent_risk", "bias"})  # of a profile; the rest stand beside it
_FEWEST = 20  # answers, runs or cases of a model, for a share that means something

_Rows = Sequence["_Row"]


class _Row:
    """One row of the table; whatever is wrong with a cell names the file, the row and the column."""

    def __init__(self, cells: Mapping[str, Any], *, path: Path, number: int) -> None:
        self._cells, self._path, self._number = cells, path, number

    def text(self, column: str) -> str:
        value = self._cells.get(column)
        if value is None or not str(value).strip():
            raise self.refused(f"{column}: is empty")
        return str(value).strip()

    def number(self, column: str) -> float:
        value = self._cells.get(column)
        try:
            number = float(value) if isinstance(value, bool) else float(str(value))
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise self.refused(f"{column}: must be a number, not {value!r}")
        return number

    def share(self, column: str) -> float:
        value = self.number(column)
        if not 0 <= value <= 1:
            raise self.refused(f"{column}: must lie in [0, 1], not {value:g}")
        return value

    def has(self, column: str) -> bool:
        return self._cells.get(column) not in (None, "")

    def refused(self, problem: str) -> ImportFailedError:
        return ImportFailedError(source=str(self._path), problem=f"row {self._number}: {problem}")


def read_red_team(path: Path, *, today: date) -> dict[str, tuple[Measurement, ...]]:
    """What a table of results tells of each model, by the name that the table has for it.

    Args:
        path: the table.
        today: the day that the measurements are dated.

    Raises:
        ImportFailedError: it cannot be read, is of none of the kinds, or holds too few rows of a model.
    """
    cells = list(table_rows(path))
    columns = set(cells[0]) if cells else set()
    measure = next((measure for needed, measure in _KINDS if set(needed) <= columns), None)
    if measure is None:
        kinds = "; or ".join(", ".join(needed) for needed, _ in _KINDS)
        raise ImportFailedError(source=str(path), problem=f"needs rows with the columns {kinds}")
    of_model: dict[str, list[_Row]] = {}
    for number, row in enumerate(cells, start=1):
        told = _Row(row, path=path, number=number)
        of_model.setdefault(told.text("model"), []).append(told)
    return {m: tuple(replace(f, measured=today) for f in measure(rows)) for m, rows in sorted(of_model.items())}


def red_team_overlay(found: Mapping[str, Sequence[Measurement]]) -> str:
    """TOML that `[catalog] overlays` and `--overlay` take; models by catalog id."""
    lines = ["# Written by `paretogate catalog risk`. Name it under [catalog] overlays, or give it with --overlay."]
    for model_id, measurements in found.items():
        table = f"models.{json.dumps(model_id)}"
        lines += ["", f"[{table}]", *(f"{m.name} = {m.value!r}" for m in measurements if m.name in _FIELDS)]
        for m in measurements:
            method = json.dumps(m.method, ensure_ascii=False)
            lines += [f"[{table}.measured.{m.name}]", f"method = {method}", f"n = {m.n}", f"date = {m.measured}"]
            if m.name not in _FIELDS:
                lines += [f"value = {m.value!r}", f"unit = {json.dumps(m.unit)}", f"se = {m.se!r}"]
    return "\n".join(lines) + "\n"


def _of_answers(rows: _Rows) -> Iterator[Measurement]:
    dimensions, harm = _harm(rows)  # harm: (n_prompts, n_dimensions)
    risk = tail_risk(log_risk(harm), rng=np.random.default_rng(0))
    interval = f"95 % interval {risk.cvar_lower:.3g} to {risk.cvar_upper:.3g}"
    tail = f"mean log-risk of the worst {risk.n_tail} of {risk.n} prompts on {', '.join(dimensions)}; {interval}"
    yield _found("risk_cvar95", risk.cvar, "log-risk", tail, n=risk.n)
    yield _mean("harm", union_of_failures(harm), "probability", "mean union of failures")
    for at, dimension in enumerate(dimensions):
        yield _mean(f"harm_{_word(dimension)}", harm[:, at], "probability", f"mean harm on {dimension}")


def _harm(rows: _Rows) -> tuple[list[str], Floats]:
    """Dimensions, and the harm of each prompt on each, its judges agreed."""
    judged: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        judged.setdefault((row.text("prompt"), row.text("dimension")), []).append(row.share("harm"))
    prompts, dimensions = (sorted({key[at] for key in judged}) for at in (0, 1))
    for prompt in prompts:
        for dimension in dimensions:
            if (prompt, dimension) not in judged:
                raise rows[0].refused(f"dimension: prompt {prompt!r} lacks {dimension!r}; judge every prompt on each")
    _enough(rows, len(prompts), "prompts")
    agreed = [[float(judges_agree(np.array(judged[p, d]))) for d in dimensions] for p in prompts]
    return dimensions, np.array(agreed, dtype=np.float64)


def _of_runs(rows: _Rows) -> Iterator[Measurement]:
    misaligned = np.array([row.share("misaligned") for row in rows])
    pressure = np.array([row.number("pressure") if row.has("pressure") else 0.0 for row in rows])
    names = np.array([row.text("names") if row.has("names") else "" for row in rows])
    for row in rows:
        row.text("scenario")
    low, high = float(pressure.min()), float(pressure.max())
    worst = misaligned[pressure == high]
    _enough(rows, len(worst), "runs at the highest pressure")
    yield _mean("agent_risk", worst, "share of runs", f"misaligned runs at pressure {high:g}, the highest")
    if low < high:
        at_rest = misaligned[pressure == low]
        yield _mean("agent_risk_at_rest", at_rest, "share of runs", f"misaligned runs at pressure {low:g}, the lowest")
    if len(set(names)) > 1:
        by_names = {str(name): misaligned[names == name] for name in np.unique(names)}
        yield _spread("agent_risk_by_names", by_names, "share of runs", "misaligned runs by the names of tools")


def _of_groups(rows: _Rows) -> Iterator[Measurement]:
    scores: dict[str, list[float]] = {}
    for row in rows:
        scores.setdefault(row.text("group"), []).append(row.share("score"))
    if len(scores) < 2:
        raise rows[0].refused("group: two groups are needed to compare")
    _enough(rows, min(map(len, scores.values())), "cases of every group")
    yield _spread("bias", {g: np.array(told) for g, told in scores.items()}, "score", "mean score by group")


def _mean(name: str, values: Floats, unit: str, method: str) -> Measurement:
    error = _error(values)
    return _found(name, float(values.mean()), unit, f"{method}; standard error {error:.3g}", n=len(values), se=error)


def _spread(name: str, values: Mapping[str, Floats], unit: str, method: str) -> Measurement:
    """The highest mean less the lowest."""
    means = {label: float(told.mean()) for label, told in values.items()}
    high, low = max(means, key=lambda g: means[g]), min(means, key=lambda g: means[g])
    error = math.hypot(_error(values[high]), _error(values[low]))
    told = f"{method}, {high} less {low}, the furthest of {len(means)}; standard error {error:.3g}"
    return _found(name, means[high] - means[low], unit, told, n=sum(map(len, values.values())), se=error)


def _found(name: str, value: float, unit: str, method: str, *, n: int, se: float | None = None) -> Measurement:
    """Not yet dated."""
    return Measurement(name=name, value=round(value, 6), unit=unit, method=method, n=n, measured=date.min, se=se)


def _error(values: Floats) -> float:
    """Standard error of a mean in [0, 1], never 0: one more full success and one full failure are imagined."""
    imagined = np.concatenate([values, [0.0, 1.0]])
    return round(float(imagined.std() / math.sqrt(len(values))), 6)


def _enough(rows: _Rows, n: int, what: str) -> None:
    if n < _FEWEST:
        raise rows[0].refused(f"model: {rows[0].text('model')} has {n} {what}, at least {_FEWEST} are needed")


def _word(name: str) -> str:
    return "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in name.casefold())


_KINDS: Sequence[tuple[tuple[str, ...], Callable[[_Rows], Iterator[Measurement]]]] = (
    (("model", "prompt", "dimension", "harm"), _of_answers),
    (("model", "scenario", "misaligned"), _of_runs),
    (("model", "group", "score"), _of_groups),
)
