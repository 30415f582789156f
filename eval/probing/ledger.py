"""Every answer that was paid for, on disk before it is used: a probe that was killed goes on where it was."""

import json
import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

__all__ = ["Ledger"]


class Ledger:
    """Lines of JSON, one per call, flushed to the disk one by one; a torn last line is dropped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[str, dict[str, Any]] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = self._read()
        self._file = path.open("r+b" if path.exists() else "w+b")
        self._file.truncate(whole)
        self._file.seek(whole)

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
        if not self.path.exists():
            return 0
        whole = 0
        with self.path.open("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                try:
                    told = json.loads(line)
                    self._known[told["key"]] = told["answer"]
                except (ValueError, KeyError, TypeError):
                    break
                whole += len(line)
        return whole


def _key(request: Mapping[str, Any]) -> str:
    return sha256(json.dumps(request, sort_keys=True, ensure_ascii=True).encode()).hexdigest()[:32]
