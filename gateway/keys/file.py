"""Where keys are kept: one small JSON file in the state directory, that only its owner may read."""

from collections.abc import Callable
from pathlib import Path

import orjson

from catalog import read_file
from gateway.atomic_files import write_atomically
from gateway.errors import GatewayError
from gateway.file_locks import held

from .key import ApiKey, InvalidKeyRecordError, read_record

__all__ = ["KeyFile", "KeyFileError"]

_FORMAT = 1


class KeyFileError(GatewayError):
    """The key file cannot be read or written; the message says why."""


class KeyFile:
    """Read whole, written whole: a new file takes the old one's place, so that no reader sees half of one."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> tuple[ApiKey, ...]:
        """Every key, revoked ones included; none where there is no file.

        Raises:
            KeyFileError: it is damaged.
        """
        try:
            raw = read_file(self.path)
        except FileNotFoundError as exc:
            if self.path.is_symlink():  # what it leads to is not there now: others may be let in only by its keys
                raise KeyFileError(
                    f"{self.path} is a link to a file that is not there; put it back, or remove the link"
                ) from exc
            return ()
        except OSError as exc:
            raise KeyFileError(f"cannot read {self.path}: {exc.strerror}{_remedy(exc)}") from exc
        try:
            kept = orjson.loads(raw)
            if not isinstance(kept, dict) or kept.get("format") != _FORMAT:
                raise KeyFileError(f"{self.path.name} is no key file of format {_FORMAT}")
            return tuple(read_record(record) for record in kept["keys"])
        except (orjson.JSONDecodeError, KeyError, TypeError) as exc:
            raise KeyFileError(f"{self.path.name} is damaged: {type(exc).__name__}; restore it from a backup") from exc
        except InvalidKeyRecordError as exc:
            raise KeyFileError(f"{self.path.name}: {exc}") from exc

    def change(self, edit: Callable[[tuple[ApiKey, ...]], tuple[ApiKey, ...]]) -> tuple[ApiKey, ...]:
        """Replace the keys by what `edit` makes of them; one writer at a time, across processes.

        Raises:
            KeyFileError: it is damaged or cannot be written.
        """
        try:
            with held(self.path.with_suffix(".lock")):
                keys = edit(self.read())
                self._write(keys)
        except OSError as exc:
            raise KeyFileError(f"cannot write {self.path}: {exc.strerror}{_remedy(exc)}") from exc
        return keys

    def stamp(self) -> tuple[int, int] | None:
        """Differs whenever the file was replaced; None where there is none."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino

    def _write(self, keys: tuple[ApiKey, ...]) -> None:
        content = orjson.dumps({"format": _FORMAT, "keys": [key.record() for key in keys]}, option=orjson.OPT_INDENT_2)
        write_atomically(self.path, content)


def _remedy(exc: OSError) -> str:
    return "; see who may use it" if isinstance(exc, PermissionError) else ""
