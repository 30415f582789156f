"""From the journal to what is known of tools' use: sums per registry, one file per journal, merged when they are read.

A file belongs to one journal and is written by its refinement alone; replicas that share the folder, or are sent each
other's files, come to the same sums in whatever order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import structlog

from catalog import read_file
from gateway.atomic_files import write_atomically
from gateway.journal import JournalledOutcome, JournalReader, JournalUnreadableError
from gateway.tools.registries import is_registry_name
from predictors.encoders import Vectors
from predictors.foreign_files import read_arrays
from predictors.tools import ToolError, UsageStatistics

from .observing import unpacked

__all__ = ["learn_tools", "read_learned"]

log = structlog.get_logger(__name__)

_MOST_BYTES = 256 << 20  # of a file's sums, unpacked
_MOST_NAME_CHARS = 512  # of a tool: an array of names takes the longest for each
_WORTH_OF_FAILURE = 0.25  # a call that went wrong was still what the model wanted


def learn_tools(journal: Path, folder: Path, *, half_life_s: float, now_s: float, rebuild: bool = False) -> int:
    """Count the calls that came since the last pass; how many there were.

    Args:
        journal: its SQLite file; one that is not there yet tells nothing.
        folder: of what was learned, `REGISTRY/JOURNAL.npz`.
        half_life_s: of a call's weight; what was learned with another one is forgotten.
        now_s: seconds since the epoch; a call of a time to come counts as one of now.
        rebuild: forget what this journal told before.
    """
    try:
        reader = JournalReader(journal)
    except JournalUnreadableError:
        return 0
    with reader:
        progress_file = folder / f"{reader.identity}.json"
        read_to = 0 if rebuild else _progress(progress_file)
        if rebuild:
            progress_file.unlink(missing_ok=True)  # first: whoever is killed amid this has all read again
            for path in folder.glob(f"*/{reader.identity}.npz"):
                path.unlink()
        learned: dict[str, _Learned] = {}
        count, last = 0, read_to
        for entry in reader.outcomes(after=read_to):
            last = entry.seq
            if (seen := _seen(entry.outcome.get("tools"))) is None:
                continue
            if seen.registry not in learned:
                path = folder / seen.registry / f"{reader.identity}.npz"
                learned[seen.registry] = _Learned.read(path, half_life_s, read_to=read_to, dim=len(seen.vector))
                learned[seen.registry].statistics.heed_clock(now_s=now_s)
            at_s = min(entry.time, now_s)  # by a clock that ran ahead it would outweigh all others until then
            count += learned[seen.registry].take(seen, entry, replica=str(reader.identity), at_s=at_s)
        for one in learned.values():
            write_atomically(one.path, one.to_bytes(last))
        if last != read_to:
            write_atomically(progress_file, orjson.dumps(last))
    return count


def read_learned(folder: Path, registry: str) -> UsageStatistics | None:
    """What all journals tell of a registry's tools; a file that is damaged, or counts otherwise, is left out."""
    merged: UsageStatistics | None = None
    for path in sorted((folder / registry).glob("*.npz")):
        if (found := _read(path)) is None:
            continue
        try:
            merged = found.statistics if merged is None else merged.merge(found.statistics)
        except ToolError:
            log.warning("tool_usage_refused", file=path.name)
    return merged


def _progress(path: Path) -> int:
    """How far the journal was read; 0 where that is not known: what was counted is known of each registry, too."""
    try:
        return int(orjson.loads(read_file(path)))
    except FileNotFoundError:
        return 0
    except (OSError, ValueError, TypeError):
        log.warning("tool_usage_damaged", file=path.name)
        return 0


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one record tells of calls."""

    registry: str
    vector: Vectors
    calls: Sequence[Mapping[str, Any]]


def _seen(told: object) -> _Seen | None:
    if not isinstance(told, Mapping) or not isinstance(observed := told.get("observed"), list):
        return None
    registry = str(told.get("registry")).partition("@")[0]  # it stands there as NAME@VERSION
    calls = [call for call in observed if isinstance(call, Mapping) and _names_a_tool(call.get("tool"))]
    if not calls or not is_registry_name(registry):  # the name becomes a folder's
        return None
    try:
        return _Seen(registry, unpacked(str(told.get("vector"))), calls)
    except ValueError:
        return None


def _names_a_tool(name: object) -> bool:
    return isinstance(name, str) and 0 < len(name) <= _MOST_NAME_CHARS


@dataclass(slots=True)
class _Learned:
    """The file of one registry and one journal: its sums, and how far they have read, written in one piece.

    So nothing is counted twice after a process was killed between this file and the next.
    """

    path: Path
    statistics: UsageStatistics
    read_to: int

    @classmethod
    def read(cls, path: Path, half_life_s: float, *, read_to: int, dim: int) -> "_Learned":
        """What is there; nothing where it was learned with another half-life or of vectors of another length."""
        known = _read(path)
        if known is None or (known.statistics.half_life_s, known.statistics.dim) != (half_life_s, dim):
            return cls(path, UsageStatistics(dim=dim, half_life_s=half_life_s), read_to)
        return cls(path, known.statistics, max(read_to, known.read_to))

    def take(self, seen: _Seen, entry: JournalledOutcome, *, replica: str, at_s: float) -> int:
        """Count the calls of a record; how many there were."""
        if entry.seq <= self.read_to or len(seen.vector) != self.statistics.dim:
            return 0
        for call in seen.calls:
            worth = 1.0 if call.get("ok") else _WORTH_OF_FAILURE
            self.statistics.observe(str(call["tool"]), seen.vector, replica=replica, at_s=at_s, worth=worth)
        return len(seen.calls)

    def to_bytes(self, read_to: int) -> bytes:
        """The file, which has now read so far."""
        buffer = BytesIO()
        arrays = {**self.statistics.to_arrays(), "read_to": np.array(read_to)}
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        return buffer.getvalue()


def _read(path: Path) -> _Learned | None:
    try:
        arrays = read_arrays(read_file(path), most_bytes=_MOST_BYTES)
        read_to = int(arrays["read_to"]) if "read_to" in arrays else 0
        return _Learned(path, UsageStatistics.from_arrays(arrays), read_to)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, LookupError, OverflowError):
        log.warning("tool_usage_damaged", file=path.name)
        return None
