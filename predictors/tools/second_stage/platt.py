"""Platt's sigmoid: the probability that a score means."""

from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["UNFITTED", "fit_sigmoid"]

Floats = npt.NDArray[np.float64]

UNFITTED: Final = (1.0, 0.0)  # slope and offset that leave a log share as it is
_RIDGE: Final = 1e-2
_N_STEPS: Final = 30


def fit_sigmoid(scores: Floats, relevant: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and offset of 1 / (1 + exp(-(slope * score + offset))), drawn to `UNFITTED`; by Newton with step halving.

    Args:
        scores: held out, of any shape.
        relevant: of the same shape.

    Source: Platt, Probabilistic Outputs for Support Vector Machines, 1999.
    """
    x = np.stack([scores.reshape(-1), np.ones(scores.size)], axis=1)  # (n, 2)
    y = relevant.reshape(-1).astype(np.float64)
    begun = np.array(UNFITTED)

    def loss(w: Floats) -> float:
        z = x @ w
        return float((np.logaddexp(0.0, z) - y * z).sum()) + 0.5 * _RIDGE * float(((w - begun) ** 2).sum())

    w, reached = begun, loss(begun)
    for _ in range(_N_STEPS):
        p = 1.0 / (1.0 + np.exp(-np.clip(x @ w, -60.0, 60.0)))
        gradient = x.T @ (p - y) + _RIDGE * (w - begun)
        curvature = (x * (p * (1.0 - p))[:, None]).T @ x + _RIDGE * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        while (tried := loss(w - step)) > reached and np.abs(step).max() > 1e-9:
            step = step / 2.0
        if reached - tried < 1e-9:
            break
        w, reached = w - step, tried
    return max(float(w[0]), 1e-3), float(w[1])
