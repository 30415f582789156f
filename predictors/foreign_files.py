"""Reads files that somebody else may have made: whatever is in them, they cost no more than they are long.

Nothing but files is read (`catalog.read_file`). Arrays are read as `numpy.savez` writes them, which packs nothing, so
that a hundred kilobytes never become ten gigabytes, and never from pickles.
"""

import io
import json
import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from catalog import read_file

__all__ = ["read_array", "read_arrays", "read_json"]

_MOST_JSON_BYTES: Final = 64 << 20  # parsed it takes some ten times as much
_SUFFIX: Final = ".npy"  # of the members of an `.npz`


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
