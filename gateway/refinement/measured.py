"""The file through which refinement speaks to a running gateway, and how its facts reach the backends."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import orjson

from catalog import Backend, Measured, read_file
from gateway.atomic_files import write_atomically
from gateway.errors import GatewayError

from .backend_statistics import BackendStatistics

__all__ = ["Findings", "MeasuredFileError", "apply_measured", "read_findings", "read_measured", "write_findings"]

_SCHEMA = 1
_MOST = 1e12  # of calls, tokens and seconds: squares of what is more are no numbers


class MeasuredFileError(GatewayError):
    """The file of measured facts is damaged; the message says what to do."""


@dataclass(slots=True, kw_only=True)
class Findings:
    """What refinement knows: the facts, the statistics they rest on, and how far it has read the journal."""

    measured: dict[str, Measured] = field(default_factory=dict)  # by backend id
    statistics: dict[str, BackendStatistics] = field(default_factory=dict)  # by backend id
    models: dict[str, str] = field(default_factory=dict)  # backend id -> catalog id
    journal: int | None = None  # the identity of the journal that was read
    outcome_seq: int = 0  # the last outcome that was counted


def read_measured(path: Path) -> Mapping[str, Measured]:
    """Facts by backend id; empty where nothing was measured yet.

    Raises:
        MeasuredFileError: the file is damaged.
    """
    return read_findings(path).measured


def apply_measured(backends: Iterable[Backend], measured: Mapping[str, Measured]) -> tuple[Backend, ...]:
    """The backends with what was measured of them; the others as they were."""
    return tuple(
        replace(backend, measured=measured[backend.id]) if backend.id in measured else backend for backend in backends
    )


def read_findings(path: Path) -> Findings:
    """Everything in the file; nothing where it does not exist.

    Raises:
        MeasuredFileError: the file is damaged.
    """
    try:
        values = orjson.loads(read_file(path))
        if values["schema"] != _SCHEMA:
            raise ValueError(f"schema {values['schema']!r}, not {_SCHEMA}")  # noqa: TRY301 - answered just below
        known = {item.name for item in fields(Measured)}
        return Findings(
            measured={
                name: Measured(**{key: _checked(key, value) for key, value in facts.items() if key in known})
                for name, facts in values["measured"].items()
            },
            statistics={name: BackendStatistics.from_json(facts) for name, facts in values["statistics"].items()},
            models=dict(values["models"]),
            journal=values["journal"],
            outcome_seq=values["outcome_seq"],
        )
    except FileNotFoundError:
        return Findings()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
        raise MeasuredFileError(
            f"cannot read measured facts from {path}: {type(exc).__name__}: {exc}; run `paretogate refine --rebuild`"
        ) from exc


def _checked(key: str, value: object) -> Any:  # noqa: ANN401 - a number or None
    """Raises: ValueError: it is nothing that was measured; forecasts are made of it, and the file may be another's."""
    if value is not None and not (type(value) in {int, float} and 0 <= value <= _MOST):  # type: ignore[operator]
        raise ValueError(f"{key} is {value!r:.80}")
    return value


def write_findings(path: Path, findings: Findings) -> None:
    """Replace the file as a whole: a reader sees the old one or the new one, never a part."""
    content = orjson.dumps(
        {
            "schema": _SCHEMA,
            "journal": findings.journal,
            "outcome_seq": findings.outcome_seq,
            "models": findings.models,
            "measured": {name: asdict(facts) for name, facts in sorted(findings.measured.items())},
            "statistics": {name: statistics.to_json() for name, statistics in sorted(findings.statistics.items())},
        },
        option=orjson.OPT_INDENT_2,
    )
    write_atomically(path, content)
