"""Every tool's dot product with a few requests, faster than the plain way to write it."""

import numpy as np
import numpy.typing as npt

__all__ = ["products"]

Matrix = npt.NDArray[np.float32]


def products(left: Matrix, right: Matrix) -> Matrix:
    """The products `left @ right.T`, shape (n_left, n_right).

    Of a request there are two to nine rows on the left and thousands on the right. BLAS packs its right operand anew
    for every call, which then costs several times the multiplication; as the left one it is read once.
    """
    return np.ascontiguousarray((right @ np.ascontiguousarray(left.T)).T)
