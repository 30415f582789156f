"""Every answer that was paid for, on disk before it is used: a probe that was killed goes on where it was."""

import fcntl
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, Self

from eval.errors import EvalError

__all__ = ["Ledger", "LedgerTakenError"]


class LedgerTakenError(EvalError):
    """Another probe writes to the same ledger."""

    def __init__(self, *, path: Path) -> None:
        super().__init__(f"another probe is at work on {path}; wait for its end, or name another folder by --out")
        self.path = path


class Ledger:
    """Lines of JSON, one per call, flushed to the disk one by one; a torn last line is dropped.

    A damaged line amid them costs its own answer, and none of those that were paid for after it.

    Of two processes at once the second is refused: they would write over each other's answers.
    """

    def __init__(self, path: Path) -> None:
        """Raises `LedgerTakenError`."""
        self.path = path
        self._known: dict[str, dict[str, Any]] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = _alone(path)
        self._file.truncate(self._read())

    def __len__(self) -> int:
        return len(self._known)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def answers(self) -> tuple[Mapping[str, Any], ...]:
        """Everything recorded, in order."""
        return tuple(self._known.values())

    def recall(self, request: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The answer to this very request, if it was ever paid for."""
        return self._known.get(_key(request))

    def record(self, request: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        """Keep an answer; on the disk when this returns."""
        key = _key(request)
        line = json.dumps({"key": key, "answer": dict(answer)}, ensure_ascii=True) + "\n"
        self._file.write(line.encode())
        self._file.flush()
        os.fsync(self._file.fileno())
        self._known[key] = dict(answer)

    def _read(self) -> int:
        """Take in whole lines; how many bytes they are."""
        whole = 0
        self._file.seek(0)
        for line in self._file:
            if not line.endswith(b"\n"):
                break
            whole += len(line)
            with suppress(ValueError, KeyError, TypeError):
                told = json.loads(line)
                self._known[told["key"]] = dict(told["answer"])
        return whole


def _alone(path: Path) -> IO[bytes]:
    """The file, to be read and appended to; nobody else's until it is closed."""
    file = path.open("a+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise LedgerTakenError(path=path) from None
    return file


def _key(request: Mapping[str, Any]) -> str:
    return sha256(json.dumps(request, sort_keys=True, ensure_ascii=True).encode()).hexdigest()[:32]
