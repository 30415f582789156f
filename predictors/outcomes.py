"""What models scored on prompts: the one table that training, replay and export share, in three file formats."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from catalog import check_file, read_parquet

from .errors import InvalidOutcomesError
from .folds import group_folds
from .journal.outcomes import COLLECT_FIRST, JOURNAL_SUFFIXES, is_journal, is_journal_stream, read_journal_table

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "OPTIONAL_COLUMNS",
    "REQUIRED_COLUMNS",
    "Outcomes",
    "outcome_files",
    "question_stem",
    "read_table_file",
]

REQUIRED_COLUMNS = ("prompt", "model", "score")
OPTIONAL_COLUMNS = (
    "prompt_id",
    "group_key",
    "dataset",
    "benchmark",
    "domain",
    "cost_usd",
    "input_tokens",
    "output_tokens",
    "latency_s",
    "ttft_s",
)
_NOT_NEGATIVE = ("cost_usd", "input_tokens", "output_tokens", "latency_s", "ttft_s")
_TEXT = ("prompt", "model", "prompt_id", "group_key", "dataset", "benchmark", "domain")
_SUFFIXES = (".parquet", ".csv", ".jsonl")
_PARTS = 1_000  # that questions are divided into, to hold a share of them out
_STEM_CHARS = 160  # letters and digits of a question that decide whether two prompts are the same question


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """One row per prompt and model, every column of the contract present, unknown values null.

    `group_key` ties prompts that ask the same question: split on it, never on rows. Where a source has none it is a
    hash of the first 160 letters and digits of the prompt. Other columns of a source are kept as they are.
    """

    table: "pl.DataFrame"
    remarks: tuple[str, ...] = ()  # what of the source was left out, put together or not read, for people

    @classmethod
    def read(cls, paths: Iterable[Path | str]) -> "Outcomes":
        """Read CSV, JSONL and Parquet files; a folder gives its `outcomes.*` files, or else all it has of the three.

        A gateway's journal is read as well, exported (JSONL) or as its SQLite file.

        Raises:
            InvalidOutcomesError: a path is missing or unreadable, a required column is absent, or a value cannot be.
        """
        import polars as pl  # noqa: PLC0415  # heavy, and needed only by those who train or replay

        found = {path: cls.from_table(read_table_file(path), source=str(path)) for path in outcome_files(paths)}
        return cls(
            table=pl.concat([one.table for one in found.values()], how="diagonal_relaxed"),
            remarks=tuple(
                remark if len(found) == 1 else f"{path.name}: {remark}"
                for path, one in found.items()
                for remark in one.remarks
            ),
        )

    @classmethod
    def from_table(cls, table: "pl.DataFrame", *, source: str = "outcomes") -> "Outcomes":
        """Check and complete a table; rows without a score are left out, since they say nothing, and `remarks` say so.

        Raises:
            InvalidOutcomesError: naming `source`, the column, the row (counted from 1) and the remedy.
        """
        import polars as pl  # noqa: PLC0415

        for name in REQUIRED_COLUMNS:
            if name not in table.columns:
                raise InvalidOutcomesError(
                    f"{source}: column {name!r} is missing (it has {', '.join(table.columns)}); "
                    f"every row needs {', '.join(REQUIRED_COLUMNS)}"
                )
        table = _typed(table, source)
        _check_values(table, source)
        scored = table.filter(pl.col("score").is_not_null())
        if scored.is_empty():
            raise InvalidOutcomesError(f"{source}: no row has a score; give at least one outcome")
        completed = _completed(scored)
        return cls(table=completed, remarks=_remarks(table, completed))

    def __len__(self) -> int:
        return int(self.table.height)

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models, sorted."""
        return tuple(sorted(self.table["model"].unique().to_list()))

    def only(self, *, models: Sequence[str] | None = None, groups: Iterable[str] | None = None) -> "Outcomes":
        """The rows of these models and of these groups; None keeps all."""
        import polars as pl  # noqa: PLC0415

        table = self.table
        if models is not None:
            table = table.filter(pl.col("model").is_in(list(models)))
        if groups is not None:
            table = table.filter(pl.col("group_key").is_in(list(groups)))
        return Outcomes(table=table)

    def without(self, share: float, *, seed: int = 0) -> "Outcomes":
        """What is left when a share of the questions is held out; the same questions on every machine.

        Raises:
            InvalidOutcomesError: nothing is left.
        """
        if not share:
            return self
        fold = group_folds(self.table["group_key"].to_numpy().astype(np.str_), _PARTS, seed)
        left = self.table.filter(fold >= round(share * _PARTS))
        if left.is_empty():
            raise InvalidOutcomesError(f"holding {share:.0%} of the questions out leaves none; hold out fewer")
        return Outcomes(table=left)


def outcome_files(paths: Iterable[Path | str]) -> tuple[Path, ...]:
    """The files that these files and folders stand for, folders in sorted order.

    Raises:
        InvalidOutcomesError: a path does not exist, has another suffix, or a folder holds no outcomes.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            files = sorted(p for p in path.rglob("*") if p.suffix in _SUFFIXES and p.is_file())
            named = [p for p in files if p.stem == "outcomes"]
            if not files:
                raise InvalidOutcomesError(f"{path}: the folder holds no {', '.join(_SUFFIXES)} file")
            found += named or files
        elif is_journal_stream(str(path)):
            raise InvalidOutcomesError(COLLECT_FIRST)
        elif not path.exists():
            raise InvalidOutcomesError(f"{path}: no such file or folder")
        elif path.suffix not in (*_SUFFIXES, *JOURNAL_SUFFIXES):
            raise InvalidOutcomesError(
                f"{path}: outcomes are read from {', '.join(_SUFFIXES)} and a journal's {', '.join(JOURNAL_SUFFIXES)}, "
                f"not {path.suffix!r}"
            )
        else:
            found.append(path)
    if not found:
        raise InvalidOutcomesError("no outcomes were named; give at least one file or folder")
    return tuple(found)


def read_table_file(path: Path) -> "pl.DataFrame":
    """One CSV, JSONL or Parquet file, or a journal, as it stands.

    Raises:
        InvalidOutcomesError: it cannot be read as what its suffix says.
    """
    import polars as pl  # noqa: PLC0415

    try:
        check_file(path)
        if is_journal(path):
            return read_journal_table(path)
        match path.suffix:
            case ".parquet":
                return read_parquet(path)
            case ".csv":
                # Types are told by all rows: scores may be 0 and 1 for long, and `007` is no number among names.
                as_text = dict.fromkeys(_TEXT, pl.String)
                return pl.read_csv(path, glob=False, infer_schema_length=None, schema_overrides=as_text)
            case _:
                with path.open("rb") as lines:  # a name with a bracket would be taken for a pattern
                    return pl.read_ndjson(lines, infer_schema_length=None)
    except (OSError, pl.exceptions.PolarsError) as exc:
        first_line = str(exc).splitlines()[0] if str(exc) else type(exc).__name__
        raise InvalidOutcomesError(f"{path}: cannot be read as {path.suffix[1:]}: {first_line}") from exc


def _typed(table: "pl.DataFrame", source: str) -> "pl.DataFrame":
    import polars as pl  # noqa: PLC0415

    wanted = dict.fromkeys(_TEXT, pl.String) | dict.fromkeys(("score", *_NOT_NEGATIVE), pl.Float64)
    for name, dtype in wanted.items():
        if name not in table.columns:
            continue
        if table[name].dtype.is_nested() or table[name].dtype == pl.Binary:
            kind = "text" if name in _TEXT else "a number"
            raise InvalidOutcomesError(f"{source}: column {name!r} holds {table[name].dtype}; give {kind} instead")
        cast = table[name].cast(dtype, strict=False)
        lost = (cast.is_null() & table[name].is_not_null()).arg_true()
        if len(lost):
            row = int(lost[0])
            raise InvalidOutcomesError(
                f"{source}: column {name!r}, row {row + 1}: {table[name][row]!r} is not a number"
            )
        table = table.with_columns(cast)
    return table


def _check_values(table: "pl.DataFrame", source: str) -> None:
    def refuse(name: str, bad: "pl.Series", problem: str) -> None:
        rows = bad.fill_null(value=False).arg_true()
        if len(rows):
            row = int(rows[0])
            raise InvalidOutcomesError(f"{source}: column {name!r}, row {row + 1}: {table[name][row]!r} {problem}")

    for name in ("prompt", "model"):
        refuse(name, table[name].is_null(), "is empty; every outcome belongs to a prompt and a model")
    score = table["score"]
    refuse("score", score.is_nan(), "is not a number; leave unknown scores empty")
    refuse("score", ~score.is_between(0.0, 1.0), "is outside 0 to 1; rescale the scores")
    for name in _NOT_NEGATIVE:
        if name in table.columns:
            refuse(name, ~(table[name] >= 0), "is negative or not a number; leave unknown values empty")


def _remarks(given: "pl.DataFrame", kept: "pl.DataFrame") -> tuple[str, ...]:
    """What whoever made the table may not expect."""
    unscored = given.height - kept.height
    repeated = kept.height - kept.select("dataset", "prompt_id", "model").n_unique()
    known = [*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS]
    absent = [name for name in known if name not in given.columns]
    meant = {
        name: get_close_matches(name.lower(), absent, n=1, cutoff=0.66) for name in given.columns if name not in known
    }
    return (
        *([f"{unscored:,} rows without a score are left out"] if unscored else ()),
        *([f"{repeated:,} rows repeat a prompt and a model; those of a pair are averaged"] if repeated else ()),
        *(f"column {name!r} is not read; if {close[0]} is meant, call it so" for name, close in meant.items() if close),
    )


def _completed(table: "pl.DataFrame") -> "pl.DataFrame":
    import polars as pl  # noqa: PLC0415

    prompts = table.select("prompt").unique(maintain_order=True)
    stems = [_stem_key(p) for p in prompts["prompt"].to_list()]
    ids = [hashlib.sha256(p.encode("utf-8", "surrogatepass")).hexdigest()[:16] for p in prompts["prompt"].to_list()]
    keys = prompts.with_columns(pl.Series("_stem", stems), pl.Series("_id", ids))
    table = table.join(keys, on="prompt", how="left", maintain_order="left")
    for name in OPTIONAL_COLUMNS:
        if name not in table.columns:
            table = table.with_columns(pl.lit(None, dtype=pl.String if name in _TEXT else pl.Float64).alias(name))
    return table.with_columns(
        pl.col("prompt_id").fill_null(pl.col("_id")), pl.col("group_key").fill_null(pl.col("_stem"))
    ).drop("_stem", "_id")


def question_stem(prompt: str) -> str:
    """What two prompts of one question have in common: their first 160 letters and digits, in lower case."""
    return "".join(c for c in prompt.lower() if c.isalnum())[:_STEM_CHARS] or prompt


def _stem_key(prompt: str) -> str:
    return hashlib.sha256(question_stem(prompt).encode("utf-8", "surrogatepass")).hexdigest()[:12]
