"""From the journal to what is known of tools' use: sums per registry, one file per journal, merged when they are read.

A file belongs to one journal and is written by its refinement alone; replicas that share the folder, or are sent each
other's files, come to the same sums in whatever order.
"""

import os
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
import orjson
import structlog

from gateway.journal import JournalReader, JournalUnreadableError
from predictors.tools import ToolError, UsageStatistics

from .observing import unpacked

__all__ = ["learn_tools", "read_learned"]

log = structlog.get_logger(__name__)

_EPOCH_S = 1_735_689_600.0  # 2025-01-01: of all replicas alike
_WORTH_OF_FAILURE = 0.25  # a call that went wrong was still what the model wanted


def learn_tools(journal: Path, folder: Path, *, half_life_s: float, rebuild: bool = False) -> int:
    """Count the calls that came since the last pass; how many there were.

    Args:
        journal: its SQLite file; one that is not there yet tells nothing.
        folder: of what was learned, `REGISTRY/JOURNAL.npz`.
        half_life_s: of a call's weight; what was learned with another one is forgotten.
        rebuild: forget what this journal told before.
    """
    try:
        reader = JournalReader(journal)
    except JournalUnreadableError:
        return 0
    with reader:
        progress_file = folder / f"{reader.identity}.json"
        seen = 0 if rebuild or not progress_file.exists() else int(orjson.loads(progress_file.read_bytes()))
        learned: dict[str, UsageStatistics] = {}
        count, last = 0, seen
        for entry in reader.outcomes(after=seen):
            last = entry.seq
            count += _take(learned, entry.outcome.get("tools"), entry.time, half_life_s, reader.identity)
        for registry, fresh in learned.items():
            path = folder / registry / f"{reader.identity}.npz"
            before = None if rebuild else _read(path)
            _write(path, _saved(fresh if before is None else _sum(before, fresh)))
        if last != seen:
            _write(progress_file, orjson.dumps(last))
    return count


def read_learned(folder: Path, registry: str) -> UsageStatistics | None:
    """What all journals tell of a registry's tools; a file that is damaged, or counts otherwise, is left out."""
    merged: UsageStatistics | None = None
    for path in sorted((folder / registry).glob("*.npz")):
        found = _read(path)
        try:
            merged = found if merged is None or found is None else merged.merge(found)
        except ToolError:
            log.warning("tool_usage_refused", file=path.name)
    return merged


def _take(
    learned: dict[str, UsageStatistics], told: object, at_s: float, half_life_s: float, identity: int
) -> int:  # the registry stands in the record as NAME@VERSION
    if not isinstance(told, Mapping) or not told.get("observed") or not told.get("registry"):
        return 0
    try:
        vector = unpacked(str(told.get("vector")))
    except ValueError:
        return 0
    name = str(told["registry"]).partition("@")[0]
    statistics = learned.setdefault(name, UsageStatistics(dim=len(vector), half_life_s=half_life_s, epoch_s=_EPOCH_S))
    if len(vector) != statistics.dim:
        return 0
    for call in told["observed"]:
        worth = 1.0 if call.get("ok") else _WORTH_OF_FAILURE
        statistics.observe(str(call["tool"]), vector, replica=str(identity), at_s=at_s, worth=worth)
    return len(told["observed"])


def _sum(before: UsageStatistics, fresh: UsageStatistics) -> UsageStatistics:
    if (before.dim, before.half_life_s) != (fresh.dim, fresh.half_life_s):
        return fresh
    return before.plus(fresh)


def _saved(statistics: UsageStatistics) -> bytes:
    buffer = BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **statistics.to_arrays())
    return buffer.getvalue()


def _read(path: Path) -> UsageStatistics | None:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return UsageStatistics.from_arrays(arrays)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError):
        log.warning("tool_usage_damaged", file=path.name)
        return None


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        file.write(content)
    os.replace(file.name, path)  # noqa: PTH105 - atomic
