"""Forests of gradient-boosted trees, grown by scikit-learn where it is installed."""

from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from .trees import TreeEnsemble

__all__ = ["Grower", "grower"]

_N_ROUNDS: Final = 100
_N_LEAVES: Final = 8


class Grower(Protocol):
    """Grows the mean of some forests, each of which sees other halves of the features."""

    def __call__(
        self, features: npt.NDArray[np.float32], relevant: npt.NDArray[np.bool_], *, n_forests: int
    ) -> TreeEnsemble:
        """From (n_rows, n_features) and (n_rows,)."""
        ...


def grower(monotonic: Sequence[int] | None) -> Grower | None:
    """None where scikit-learn is not installed, since serving does without.

    Args:
        monotonic: of each feature, 1 or -1 where more of it may only raise or lower a score; None where all are free.
    """
    try:
        from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415 - for fitting only
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # noqa: PLC0415 - comes with it
    except ImportError:
        return None

    def grow(features: npt.NDArray[np.float32], relevant: npt.NDArray[np.bool_], *, n_forests: int) -> TreeEnsemble:
        # The trees are small: threads would wait for each other, tenfold on a busy core.
        with threadpool_limits(limits=1):
            models = [
                HistGradientBoostingClassifier(
                    max_iter=_N_ROUNDS,
                    learning_rate=0.1,
                    max_leaf_nodes=_N_LEAVES,
                    min_samples_leaf=30,
                    l2_regularization=3.0,
                    max_features=0.5,
                    monotonic_cst=monotonic,
                    early_stopping=False,
                    random_state=seed,
                ).fit(features, relevant)
                for seed in range(n_forests)
            ]
        return TreeEnsemble.from_sklearn(models)

    return grow
