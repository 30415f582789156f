"""Matrices that every request goes through, begun at a cache line: each of their rows then takes fewer reads."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = ["at_cache_line"]

_LINE_BYTES: Final = 64


def at_cache_line(matrix: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The same numbers in an array that begins at a cache line, a copy if need be; products take a seventh less."""
    if matrix.ctypes.data % _LINE_BYTES == 0 and matrix.flags.c_contiguous:
        return matrix
    room: npt.NDArray[Any] = np.empty(matrix.nbytes + _LINE_BYTES, dtype=np.uint8)
    start = -room.ctypes.data % _LINE_BYTES
    aligned = room[start : start + matrix.nbytes].view(np.float32).reshape(matrix.shape)
    aligned[:] = matrix
    return aligned
