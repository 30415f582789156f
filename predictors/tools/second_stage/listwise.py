"""A linear model of which candidates a request needs: softmax over its candidates, fitted by Newton's method."""

from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["fit_listwise", "log_softmax", "softmax"]

Floats = npt.NDArray[np.float64]


def fit_listwise(
    features: npt.NDArray[np.float32],
    relevant: npt.NDArray[np.bool_],
    *,
    prior: Floats,
    ridge: float = 1.0,
    n_steps: int = 25,
    known: npt.NDArray[np.bool_] | None = None,
) -> Floats:
    """Weights that maximise the mean log probability of relevant candidates, less ridge/2 |w - prior|^2 / n_queries.

    Args:
        features: (n_queries, n_candidates, n_features), on comparable scales.
        relevant: (n_queries, n_candidates); requests with none are left out.
        prior: (n_features,) where the weights are drawn to; small data leaves them there.
        ridge: strength of that pull.
        n_steps: at most so many Newton steps.
        known: (n_queries, n_candidates) False where `relevant` may be missing: such a candidate is left out of its
            request; None for all True.

    Returns:
        (n_features,)

    Source: McFadden, Conditional Logit Analysis of Qualitative Choice Behavior, 1974; the loss of ListNet (Cao 2007).
    """
    kept = relevant.any(axis=1)
    x = features[kept].astype(np.float64)  # (n, c, f)
    if not len(x):
        return prior.copy()
    silent = None if known is None else np.where(known[kept], 0.0, _LEFT_OUT)  # (n, c)
    target = relevant[kept] / relevant[kept].sum(axis=1, keepdims=True)  # (n, c)
    wanted = np.einsum("nc,ncf->f", target, x)  # (f,)
    weights = prior.copy()
    loss = np.inf
    for _ in range(n_steps):
        shares = softmax(_scores(x, weights, silent))  # (n, c)
        mean = np.einsum("nc,ncf->nf", shares, x)  # (n, f)
        gradient = mean.sum(axis=0) - wanted + ridge * (weights - prior)
        spread = np.einsum("nc,ncf,ncg->fg", shares, x, x, optimize=True) - mean.T @ mean
        step = np.linalg.solve(spread + ridge * np.eye(len(weights)), gradient)
        length = 1.0
        while length > 1e-3:
            tried = weights - length * step
            tried_loss = _loss(_scores(x, tried, silent), target) + 0.5 * ridge * float(((tried - prior) ** 2).sum())
            if tried_loss <= loss:
                break
            length /= 2
        improved = loss - tried_loss
        weights, loss = tried, tried_loss
        if improved < 1e-6 * max(1.0, abs(loss)):
            break
    return weights


def softmax(scores: Floats) -> Floats:
    """Shares along the last axis."""
    return np.exp(log_softmax(scores))


def log_softmax(scores: Floats) -> Floats:
    """Logarithms of the shares along the last axis."""
    shifted = scores - scores.max(axis=-1, keepdims=True)
    shares: Floats = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shares


_LEFT_OUT: Final = -1e9


def _scores(x: Floats, weights: Floats, silent: Floats | None) -> Floats:
    scores: Floats = x @ weights
    return scores if silent is None else scores + silent


def _loss(scores: Floats, target: Floats) -> float:
    return float(-(target * log_softmax(scores)).sum())
