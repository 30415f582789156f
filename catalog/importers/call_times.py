"""How long calls took, by who answered them: from a journal's export or from a table of outcomes.

A journal's record tells `backend`, `status`, `usage` and `latency_s`; a table has the columns `model`, `input_tokens`,
`output_tokens` and `latency_s`, in CSV, JSON lines or Parquet. Rows that tell less are passed over.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from catalog.errors import ImportFailedError
from catalog.pools.pool import Floats

from .outcome_scores import table_rows

__all__ = ["CallTimes", "read_call_times"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTimes:
    """The calls that one model or backend answered, arrays of shape (n_calls,)."""

    prompt_tokens: Floats
    output_tokens: Floats
    latency_s: Floats


def read_call_times(path: Path) -> dict[str, CallTimes]:
    """Finished calls by backend or model, in the order of their names.

    Raises:
        ImportFailedError: the file cannot be read as a table, or tells no finished call.
    """
    found: dict[str, list[tuple[float, float, float]]] = {}
    for row in table_rows(path):
        name, usage = row.get("backend") or row.get("model"), row.get("usage") or row
        if not isinstance(name, str) or not isinstance(usage, Mapping) or row.get("status") not in {None, "ok", 200}:
            continue
        numbers = [
            _number(value) for value in (usage.get("input_tokens"), usage.get("output_tokens"), row.get("latency_s"))
        ]
        told = [number for number in numbers if number is not None]
        if len(told) == len(numbers):
            found.setdefault(name, []).append((told[0], told[1], told[2]))
    if not found:
        raise ImportFailedError(
            source=str(path), problem="no row tells a model or backend with input_tokens, output_tokens and latency_s"
        )
    return {name: _columns(rows) for name, rows in sorted(found.items())}


def _columns(rows: list[tuple[float, float, float]]) -> CallTimes:
    prompt, output, seconds = np.array(rows, dtype=np.float64).T
    return CallTimes(prompt_tokens=prompt, output_tokens=output, latency_s=seconds)


def _number(value: Any) -> float | None:  # noqa: ANN401 - a cell of any table
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) and number >= 0 else None
