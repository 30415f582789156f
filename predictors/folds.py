"""The folds that predictors are tuned and judged on: the same question never stands on both sides."""

import hashlib

import numpy as np
import numpy.typing as npt

__all__ = ["group_folds"]


def group_folds(group: npt.NDArray[np.str_], n_folds: int, seed: int = 0) -> npt.NDArray[np.int64]:
    """The fold of each row, shape (n_rows,), from a hash of its group: the same question is always in the same fold.

    The fold depends on the group's key, the seed and the number of folds alone, so it survives added rows, another
    order and another machine.
    """
    keys, where = np.unique(group, return_inverse=True)
    digests = [hashlib.sha256(f"{seed}:{key}".encode("utf-8", "surrogatepass")).digest() for key in keys]
    folds = np.array([int.from_bytes(d[:8], "big") % n_folds for d in digests], dtype=np.int64)  # (n_groups,)
    return folds[where]
