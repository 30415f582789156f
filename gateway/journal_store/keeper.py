"""Moves the lines of one writer's spool into the store, and those of writers that are gone; each exactly once."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .segments import adopt_left_overs, remove_folder, segments_in
from .store import Store

__all__ = ["Keeper", "Progress"]

_CHUNK_BYTES = 1 << 20  # of a segment, per transaction
_RETENTION_PERIOD_S = 3600.0


@dataclass(frozen=True, slots=True)
class Progress:
    """Everything up to here is in the store; the segments before are deleted."""

    segment: int
    offset: int


class Keeper:
    """Every method may raise `sqlite3.Error` or `OSError`; then it is to be called again later, and nothing is lost."""

    def __init__(
        self,
        path: Path,
        folder: Path,
        *,
        clock: Callable[[], float],
        keep_days: float | None = None,
        busy_timeout_s: float = 5.0,
        note: Callable[..., None] = lambda _event, **_facts: None,
    ) -> None:
        """`folder` is the writer's, beside those of others; `note` is told what an operator should know."""
        self._path, self._folder, self._clock, self._keep_days = path, folder, clock, keep_days
        self._busy_timeout_s, self._note = busy_timeout_s, note
        self._store: Store | None = None
        self._adopted, self._last_retention = False, -_RETENTION_PERIOD_S

    def work(self) -> Progress:
        """Take over what was left behind, move what has come, forget what is too old."""
        store = self._open()
        if not self._adopted:
            for left_over in adopt_left_overs(self._folder.parent):
                self._finish(store, left_over.folder)
            self._adopted = True
        progress = self._drain(store)
        self._forget(store)
        return progress

    def finish(self) -> None:
        """Move the rest; the writer will write no more."""
        self._finish(self._open(), self._folder)

    def drop(self) -> None:
        """Let go of the store, whatever state it is in; the next step opens it again."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def _open(self) -> Store:
        if self._store is not None and not self._path.exists():
            self.drop()  # the file was removed under us: start a new one rather than write to nowhere
        if self._store is None:
            self._store = Store(self._path, busy_timeout_s=self._busy_timeout_s)
        return self._store

    def _drain(self, store: Store) -> Progress:
        segments = segments_in(self._folder)
        if not segments:
            raise FileNotFoundError(f"{self._folder} holds no segment: somebody deleted the spool of a living worker")
        *finished, current = segments  # a segment is finished once there is a later one
        for segment in finished:
            _ingest(store, segment)
            segment.unlink()
            store.forget_segment(_name(segment))
        return Progress(int(current.stem), _ingest(store, current))

    def _finish(self, store: Store, folder: Path) -> None:
        segments = segments_in(folder)
        for segment in segments:
            offset = _ingest(store, segment)
            with segment.open("rb") as file:
                file.seek(offset)
                if torn := file.read():  # its writer died inside write(2): that record was never acknowledged
                    store.note_damage(_name(segment), offset, torn, "torn by the end of the process")
                    self._note("journal_line_torn", segment=_name(segment), bytes=len(torn))
        remove_folder(folder)
        for segment in segments:
            store.forget_segment(_name(segment))

    def _forget(self, store: Store) -> None:
        now = self._clock()
        if self._keep_days is None or now - self._last_retention < _RETENTION_PERIOD_S:
            return
        gone = store.forget_before(now - 86_400 * self._keep_days)
        self._last_retention = now
        if gone:
            self._note("journal_retention_applied", decisions=gone)


def _ingest(store: Store, segment: Path) -> int:
    """Move the whole lines that a segment has into the store; returns the offset reached."""
    name = _name(segment)
    offset = store.position(name)
    with segment.open("rb") as file:
        file.seek(offset)
        rest = b""
        while chunk := file.read(_CHUNK_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            if lines:
                offset = store.take(name, offset, lines)
    return offset


def _name(segment: Path) -> str:
    return f"{segment.parent.name}/{segment.name}"
