"""Moves the lines of one writer's spool into the store, and those of writers that are gone; each exactly once."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .retention import Retention
from .segments import adopt_left_overs, remove_folder, segments_in
from .store import Store

__all__ = ["Keeper", "Progress"]

_CHUNK_BYTES = 1 << 20  # of a segment, per transaction


@dataclass(frozen=True, slots=True)
class Progress:
    """Everything up to here is in the store; the segments before are deleted."""

    segment: int
    offset: int
    waiting: int | None = None  # see `Store.waiting`


class Keeper:
    """Every method may raise what a `Store` may; then it is to be called again later, and nothing is lost."""

    def __init__(
        self,
        open_store: Callable[[], Store],
        folder: Path,
        *,
        clock: Callable[[], float],
        keep_days: float | None = None,
        note: Callable[..., None] = lambda _event, **_facts: None,
    ) -> None:
        """`folder` is the writer's, beside those of others; `note` is told what an operator should know."""
        self._open_store, self._folder, self._note = open_store, folder, note
        self._retention = Retention(keep_days, clock=clock, note=note)
        self._store: Store | None = None
        self._adopted = False
        self._reached: dict[str, int] = {}  # by segment, the offset that the store was last known to have

    def work(self) -> Progress:
        """Take over what was left behind, move what has come, forget what is too old."""
        store = self._open()
        if not self._adopted:
            for left_over in adopt_left_overs(self._folder.parent):
                self._finish(store, left_over.folder)
            self._adopted = True
        progress = self._drain(store)
        self._retention.apply(store)
        return progress

    def finish(self) -> None:
        """Move the rest; the writer will write no more."""
        self._finish(self._open(), self._folder)

    @property
    def waiting(self) -> int | None:
        """See `Store.waiting`."""
        return None if self._store is None else self._store.waiting

    def drop(self) -> None:
        """Let go of the store, whatever state it is in; the next step opens it again."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def _open(self) -> Store:
        if self._store is not None and not self._store.exists:
            self.drop()  # the file was removed under us: start a new one rather than write to nowhere
        if self._store is None:
            self._store = self._open_store()
        return self._store

    def _drain(self, store: Store) -> Progress:
        segments = segments_in(self._folder)
        if not segments:
            raise FileNotFoundError(f"{self._folder} holds no segment: somebody deleted the spool of a living worker")
        *finished, current = segments  # a segment is finished once there is a later one
        for segment in finished:
            self._move(store, segment)
            segment.unlink()
            self._forget(store, segment)
        offset = self._move(store, current)
        return Progress(int(current.stem), offset, store.waiting)

    def _finish(self, store: Store, folder: Path) -> None:
        segments = segments_in(folder)
        for segment in segments:
            offset = self._move(store, segment)
            with segment.open("rb") as file:
                file.seek(offset)
                if torn := file.read():  # its writer died inside write(2): that record was never acknowledged
                    store.note_damage(_name(segment), offset, torn, "torn by the end of the process")
                    self._note("journal_line_torn", segment=_name(segment), bytes=len(torn))
        remove_folder(folder)
        for segment in segments:
            self._forget(store, segment)

    def _move(self, store: Store, segment: Path) -> int:
        """Move the whole lines that a segment has into the store; returns the offset reached."""
        name = _name(segment)
        offset = store.position(name)
        if (lost := self._reached.get(name, 0) - offset) > 0:  # it was emptied or restored: what we have is sent again
            self._note("journal_store_lost_records", sent_again_bytes=lost)
        self._reached[name] = offset
        with segment.open("rb") as file:
            file.seek(offset)
            rest = b""
            while chunk := file.read(_CHUNK_BYTES):
                *lines, rest = (rest + chunk).split(b"\n")
                if lines:
                    self._reached[name] = offset = store.take(name, offset, lines)
        return offset

    def _forget(self, store: Store, segment: Path) -> None:
        self._reached.pop(_name(segment), None)
        store.forget_segment(_name(segment))


def _name(segment: Path) -> str:
    return f"{segment.parent.name}/{segment.name}"
