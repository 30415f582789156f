"""Scores of two versions of a model on the same prompts, from an outcomes table in CSV, JSON lines or Parquet."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from catalog.errors import ImportFailedError
from catalog.pools.pool import Floats
from catalog.untrusted.regular_files import check_file
from catalog.untrusted.table_files import read_parquet

__all__ = ["PairedScores", "read_paired_scores", "table_rows"]

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedScores:
    """Scores of the prompts that both versions answered, arrays of shape (n_prompts,) in the order of their ids."""

    old: Floats
    new: Floats
    tasks: tuple[str, ...]  # "" where the table names none
    changed: Bools | None  # whether the answers differ; None where the table does not hold both answers of every prompt


def read_paired_scores(path: Path, *, old: str, new: str) -> PairedScores:
    """Read the rows of two models; a task is the row's benchmark. A column `answer` tells which answers changed.

    Prompts are told apart by `prompt_id`, where there is none by their text.

    Raises:
        ImportFailedError: the file cannot be read, lacks a column, or the two share no scored prompt.
    """
    scores: dict[str, dict[tuple[str, str], float]] = {old: {}, new: {}}
    answers: dict[str, dict[tuple[str, str], str | None]] = {old: {}, new: {}}
    for row in table_rows(path):
        try:
            model, prompt, score = str(row["model"]), str(row.get("prompt_id") or row["prompt"]), row["score"]
        except KeyError as exc:
            raise ImportFailedError(source=str(path), problem=f"column {exc} is missing") from exc
        if model in scores and score not in (None, ""):
            at = str(row.get("benchmark") or ""), prompt
            scores[model][at] = _score(score, path, prompt)
            answers[model][at] = None if row.get("answer") in (None, "") else str(row["answer"])
    shared = sorted(scores[old].keys() & scores[new].keys())
    if not shared:
        problem = f"no prompt is scored for both {old!r} and {new!r}; name them as the file's column `model` does"
        raise ImportFailedError(source=str(path), problem=problem)
    return PairedScores(
        old=np.array([scores[old][at] for at in shared]),
        new=np.array([scores[new][at] for at in shared]),
        tasks=tuple(task for task, _ in shared),
        changed=_changed([answers[old][at] for at in shared], [answers[new][at] for at in shared]),
    )


def _changed(old: list[str | None], new: list[str | None]) -> Bools | None:
    if None in old or None in new:
        return None
    return np.array([was != now for was, now in zip(old, new, strict=True)])


def _score(value: object, path: Path, prompt: str) -> float:
    try:
        score = float(str(value))
    except ValueError:
        score = float("nan")
    if not 0 <= score <= 1:
        raise ImportFailedError(source=str(path), problem=f"{prompt}: score must lie in [0, 1], not {value!r}")
    return score


def table_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    """The rows of a table in CSV, JSON lines or Parquet.

    Raises:
        ImportFailedError: it cannot be read.
    """
    try:
        check_file(path)
        if path.suffix == ".parquet":
            yield from _parquet(path)
        else:
            with path.open(encoding="utf-8-sig", newline="") as lines:  # spreadsheets write a mark in front
                yield from (csv.DictReader(lines) if path.suffix == ".csv" else _objects(lines, path))
    except OSError as exc:
        raise ImportFailedError(source=str(path), problem=exc.strerror or "cannot be read") from exc
    except (UnicodeDecodeError, csv.Error) as exc:
        raise ImportFailedError(source=str(path), problem=f"is no table of text: {exc}") from exc


def _objects(lines: Iterable[str], path: Path) -> Iterator[Mapping[str, Any]]:
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as exc:
            raise ImportFailedError(source=str(path), problem=f"line {number} is not JSON") from exc
        if not isinstance(row, dict):
            raise ImportFailedError(source=str(path), problem=f"line {number} is not an object")
        yield row


def _parquet(path: Path) -> Iterator[Mapping[str, Any]]:
    try:
        import polars as pl  # noqa: PLC0415 - only Parquet pays for it
    except ImportError as exc:
        problem = "Parquet needs polars; pip install 'paretogate[train]'"
        raise ImportFailedError(source=str(path), problem=problem) from exc
    try:
        yield from read_parquet(path).iter_rows(named=True)
    except pl.exceptions.PolarsError as exc:
        raise ImportFailedError(source=str(path), problem=f"is not Parquet: {exc}") from exc
