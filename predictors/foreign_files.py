"""Reads files that somebody else may have made: whatever is in them, they cost no more than they are long.

Nothing but files is read: a pipe would keep its reader waiting, a device has no end. Arrays are read as `numpy.savez`
writes them, which packs nothing, so that a hundred kilobytes never become ten gigabytes, and never from pickles.
"""

import errno
import io
import json
import os
import stat
import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = ["read_array", "read_arrays", "read_file", "read_json"]

_MOST_BYTES: Final = 4 << 30  # of a file: the vectors of a million tools take a quarter of it
_MOST_JSON_BYTES: Final = 64 << 20  # parsed it takes some ten times as much
_SUFFIX: Final = ".npy"  # of the members of an `.npz`


def read_file(path: Path, *, most_bytes: int = _MOST_BYTES) -> bytes:
    """The content of a regular file.

    Raises:
        OSError: it cannot be read, is something else than a file, or is longer.
    """
    with open(path, "rb", opener=_without_waiting) as file:
        facts = os.fstat(file.fileno())
        if not stat.S_ISREG(facts.st_mode):
            raise OSError(errno.EINVAL, "Is no regular file", str(path))
        content = file.read(most_bytes + 1) if facts.st_size <= most_bytes else None
    if content is None or len(content) > most_bytes:
        raise OSError(errno.EFBIG, f"Has more than {most_bytes:,} bytes", str(path))
    return content


def read_json(path: Path) -> Any:  # noqa: ANN401 - whatever is in it
    """What a file of JSON says.

    Raises:
        OSError: as `read_file`.
        ValueError: it is no JSON, is nested too deeply, or is no UTF-8.
    """
    try:
        return json.loads(read_file(path, most_bytes=_MOST_JSON_BYTES).decode("utf-8"))
    except RecursionError as exc:
        raise ValueError("it is nested too deeply") from exc


def read_arrays(content: bytes, *, most_bytes: int | None = None) -> dict[str, npt.NDArray[Any]]:
    """The arrays of an `.npz`.

    Args:
        content: the file's.
        most_bytes: that they may unpack to; None: what the file has, since nothing in it is packed.

    Raises:
        ValueError: they unpack to more, or are no arrays of plain numbers and texts.
    """
    most = len(content) if most_bytes is None else most_bytes
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            members = packed.infolist()
            _check_size(sum(member.file_size for member in members), most)
            return {member.filename.removesuffix(_SUFFIX): _member(packed, member, most) for member in members}
    except Exception as exc:  # zipfile, ways of packing and numpy have errors of their own
        raise ValueError(str(exc) or type(exc).__name__) from exc


def read_array(content: bytes) -> npt.NDArray[Any]:
    """The array of an `.npy`.

    Raises:
        ValueError: it is no array of plain numbers and texts.
    """
    try:
        return _array(io.BytesIO(content), len(content))
    except Exception as exc:  # as above
        raise ValueError(str(exc) or type(exc).__name__) from exc


def _without_waiting(path: str, flags: int) -> int:
    """An opener: of a pipe that nobody writes to, opening would wait."""
    return os.open(path, flags | os.O_NONBLOCK)


def _member(packed: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> npt.NDArray[Any]:
    with packed.open(member) as file:
        return _array(file, most)


def _array(file: Any, most: int) -> npt.NDArray[Any]:  # noqa: ANN401 - whatever can be read from
    array: npt.NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    _check_size(array.size, most)  # elements of no bytes, of which there may be any number
    return array


def _check_size(n_bytes: int, most: int) -> None:
    if n_bytes > most:
        raise ValueError(f"it unpacks to {n_bytes:,} bytes, at most {most:,} are taken")
