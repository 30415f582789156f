"""Any leaderboard as benchmark facts: a table in CSV, JSON or YAML, and a mapping that says what its columns mean.

A table is either wide (one column per benchmark: `benchmarks`) or long (a column that names it: `benchmark_column`).
Scores stay as printed; `scale` says what a full score is, so that 72.5 of 100 is kept as 0.725.
"""

import csv
import io
import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

from catalog.capability.ability import AXES
from catalog.errors import ImportFailedError, InvalidProfileError
from catalog.finding import Finding
from catalog.profiles.benchmark_fact import BenchmarkFact
from catalog.profiles.provenance import Provenance, Trust
from catalog.untrusted.regular_files import read_text
from catalog.untrusted.yaml_texts import parse_yaml

__all__ = ["Leaderboard", "LeaderboardMapping", "read_leaderboard", "read_mapping"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderboardMapping:
    """What a table's columns mean, and what holds for the whole table."""

    source: str
    model_column: str
    license: str | None  # of the figures; None where the source states none, and then they should not be shipped
    recorded: date | None = None
    url: str | None = None
    benchmarks: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # column -> benchmark
    benchmark_column: str | None = None
    axes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # benchmark -> axis of ability
    score_column: str | None = None
    metric: str = "accuracy"
    scale: float = 1.0  # a full score
    n_column: str | None = None
    n: int | None = None
    setting_column: str | None = None
    setting: str | None = None
    trust: Trust = Trust.LINKED

    def __post_init__(self) -> None:
        wide, long = bool(self.benchmarks), bool(self.benchmark_column and self.score_column)
        if wide == long:
            raise InvalidProfileError("a mapping names either `benchmarks` or `benchmark_column` and `score_column`")
        for benchmark, axis in self.axes.items():
            if axis not in {"general", *AXES}:
                known = ", ".join(("general", *AXES))
                raise InvalidProfileError(f"axes.{benchmark}: there is no axis {axis!r}; known: {known}")
        if not (math.isfinite(self.scale) and self.scale > 0):
            raise InvalidProfileError(f"scale must be positive, not {self.scale}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaderboard:
    """The facts of one table, in its order, and the cells that could not be used."""

    facts: tuple[BenchmarkFact, ...]
    findings: tuple[Finding, ...]


def read_mapping(path: Path) -> LeaderboardMapping:
    """A mapping from a TOML file whose keys are the fields of `LeaderboardMapping`.

    Raises:
        ImportFailedError: the file is no TOML, names an unknown field, lacks one, or gives one that cannot be.
    """
    try:
        told = tomllib.loads(read_text(path))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as exc:
        raise ImportFailedError(source=str(path), problem=f"cannot be read as TOML: {exc!s:.120}") from exc
    known = {f.name for f in fields(LeaderboardMapping)}
    if unknown := sorted(set(told) - known):
        problem = f"{unknown[0]}: unknown field; known: {', '.join(sorted(known))}"
        raise ImportFailedError(source=str(path), problem=problem)
    for name, value in told.items():
        wrong = _wrong(name, value)
        if wrong is not None:
            raise ImportFailedError(source=str(path), problem=f"{name}: {wrong}")
    try:
        trust = Trust[str(told.pop("trust", "linked")).upper()]
        return LeaderboardMapping(**{"license": None} | told | {"trust": trust})
    except KeyError as exc:
        problem = f"trust: {exc} is none of {', '.join(t.name.lower() for t in Trust)}"
        raise ImportFailedError(source=str(path), problem=problem) from exc
    except (TypeError, ValueError, AttributeError) as exc:
        raise ImportFailedError(source=str(path), problem=f"{exc!s:.160}") from exc


def _wrong(name: str, value: object) -> str | None:
    """What is wrong with the kind of a mapping's value."""
    if name in {"benchmarks", "axes"}:
        if not isinstance(value, dict) or not all(isinstance(text, str) and text for text in value.values()):
            return "must be a table of texts"
    elif name == "scale":
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"must be a number, not {value!r}"
    elif name == "n":
        if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
            return f"must be a whole number above zero, not {value!r}"
    elif name == "recorded":
        return None if type(value) is date else f"must be a date like 2026-05-01, not {value!r}"
    elif not isinstance(value, str) or not value.strip():
        return f"must be a text, not {value!r}"
    return None


def read_leaderboard(path: Path, mapping: LeaderboardMapping) -> Leaderboard:
    """Read a table; an empty cell is no score, a cell that is no number is a finding.

    Raises:
        ImportFailedError: the file is no table, or lacks a column that the mapping names.
    """
    rows = _rows(path)
    columns = {name for row in rows for name in row}
    told = (mapping.model_column, *mapping.benchmarks, mapping.benchmark_column, mapping.score_column)
    for name in (*told, mapping.n_column, mapping.setting_column):
        if name is not None and name not in columns:
            raise ImportFailedError(source=str(path), problem=f"column {name!r} is missing")
    facts: list[BenchmarkFact] = []
    findings: list[Finding] = []
    for number, row in enumerate(rows, start=1):
        model = row.get(mapping.model_column)
        if not isinstance(model, str) or not model.strip():
            problem = "must name a model"
            findings.append(Finding(file=path.name, entry=f"row {number}", field=mapping.model_column, problem=problem))
            continue
        for column, benchmark in _cells(row, mapping):
            fact = _fact(row, column, benchmark, model=model.strip(), mapping=mapping, file=path.name)
            if isinstance(fact, Finding):
                findings.append(fact)
            elif fact is not None:
                facts.append(fact)
    return Leaderboard(facts=tuple(facts), findings=tuple(findings))


def _cells(row: Mapping[str, Any], mapping: LeaderboardMapping) -> list[tuple[str, str]]:
    if mapping.benchmark_column is None or mapping.score_column is None:
        return list(mapping.benchmarks.items())
    return [(mapping.score_column, str(row.get(mapping.benchmark_column) or ""))]


def _fact(
    row: Mapping[str, Any], column: str, benchmark: str, *, model: str, mapping: LeaderboardMapping, file: str
) -> BenchmarkFact | Finding | None:
    cell = row.get(column)
    if cell is None or (isinstance(cell, str) and cell.strip() in {"", "-", "N/A", "n/a", "null"}):
        return None
    value = _number(cell)
    if value is None or not benchmark:
        shown = repr(cell)[:40] if isinstance(cell, str | int | float) else f"a {type(cell).__name__}"
        problem = f"must be a number, not {shown}" if benchmark else "names no benchmark"
        return Finding(file=file, entry=model, field=column, problem=problem)
    n = _number(row.get(mapping.n_column)) if mapping.n_column else None
    setting = row.get(mapping.setting_column) if mapping.setting_column else None
    return BenchmarkFact(
        model=model,
        benchmark=benchmark,
        metric=mapping.metric,
        value=value / mapping.scale,
        setting=str(setting).strip() or None if setting is not None else mapping.setting,
        n=int(n) if n is not None and n > 0 else mapping.n,
        license=mapping.license,
        url=mapping.url,
        provenance=Provenance(source=mapping.source, trust=mapping.trust, recorded=mapping.recorded),
    )


def _number(cell: object) -> float | None:
    if isinstance(cell, bool) or not isinstance(cell, int | float | str):
        return None
    try:
        value = float(cell.strip().removesuffix("%") if isinstance(cell, str) else cell)
    except (ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def _rows(path: Path) -> list[dict[str, Any]]:
    try:
        text = read_text(path)
    except OSError as exc:
        raise ImportFailedError(source=str(path), problem=exc.strerror or "cannot be read") from exc
    except UnicodeDecodeError as exc:
        raise ImportFailedError(source=str(path), problem="is not UTF-8 text") from exc
    try:
        rows = _parse(text, path.suffix)
    except (ValueError, RecursionError, csv.Error) as exc:
        raise ImportFailedError(source=str(path), problem=f"cannot be parsed: {exc!s:.120}") from exc
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise ImportFailedError(source=str(path), problem="must be a list of rows, at least one")
    return rows


def _parse(text: str, suffix: str) -> object:
    if suffix in {".yaml", ".yml"}:
        return parse_yaml(text)
    if suffix == ".json":
        return json.loads(text)
    return list(csv.DictReader(io.StringIO(text)))
