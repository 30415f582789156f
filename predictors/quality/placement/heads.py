"""What a model with outcomes does beyond what its place in the factorization says."""

import numpy as np

from predictors.quality.protocol import Matrix

__all__ = ["residual_heads"]


def residual_heads(coordinates: Matrix, score: Matrix, expected: Matrix, *, penalty: float = 0.3) -> Matrix:
    """Ridge regression of what is left over, one head per model, by one Gram matrix.

    A cell that was not tried counts as "nothing left over": where a model has few outcomes its head stays small, which
    is the shrinkage one wants where hundreds of models saw different prompts.

    Args:
        coordinates: (n_prompts, basis dim) of `PromptBasis`, centred.
        score: (n_prompts, n_models) observed scores, NaN where not tried.
        expected: (n_prompts, n_models) what the factorization expects.
        penalty: per prompt, on the scale of `PromptBasis` (chosen on held-out questions, see docs/quality-studies.md).

    Returns:
        (basis dim, n_models) weights; `coordinates @ weights` is to be added to the expected scores.
    """
    left_over = np.where(np.isfinite(score), score - expected, 0.0)
    gram = coordinates.T @ coordinates + penalty * len(coordinates) * np.eye(coordinates.shape[1])
    weights: Matrix = np.asarray(np.linalg.solve(gram, coordinates.T @ left_over), dtype=np.float64)
    return weights
