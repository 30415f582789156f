"""Where a registry's linear weights begin, and where few requests leave them."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["COLD_WEIGHTS", "PAST_WEIGHTS", "starting_weights"]

COLD_WEIGHTS: Final = {  # for a registry that nobody has used
    "bm25": 0.36,
    "bm25_name": 0.25,
    "bm25_description": 0.04,
    "bm25_parameters": -0.05,
    "bm25_clause": 0.16,
    "name_coverage": 1.07,
    "bm25_clause_share": 0.1,
    "smoothed": 0.35,
    "smoothed_clause": 0.85,
    "clause_share": 0.12,
    "bm25:share": 1.19,
    "bm25_name:share": -0.17,
    "bm25_description:share": -0.17,
    "bm25_parameters:share": 0.41,
    "bm25_clause:share": 0.48,
}
PAST_WEIGHTS: Final = {  # where there is use: what few requests leave as it is, and many move
    "bm25": 0.23,
    "bm25_name": 0.56,
    "bm25_description": 0.06,
    "bm25_parameters": -0.11,
    "bm25_clause": 0.13,
    "name_coverage": 1.03,
    "bm25_clause_share": 0.25,
    "dense": -0.72,
    "dense_clause": -0.1,
    "smoothed": 0.86,
    "smoothed_clause": 0.55,
    "clause_share": 0.41,
    "neighbours": 0.74,
    "nearest": 0.02,
    "word_neighbours": 0.77,
    "word_nearest": 0.24,
    "bm25:share": 0.74,
    "bm25_name:share": -0.3,
    "bm25_description:share": -0.4,
    "bm25_parameters:share": 0.34,
    "bm25_clause:share": 0.09,
    "log_uses": 0.07,
    "cold": 0.91,
    "multi_label": 1.0,
}
"""Both sets: one listwise fit over at most 400 train requests of each of nine public registries (`docs/tools.md` names
them), the first drawn back toward weights set by hand, the second with `multi_label` set by hand. `smoothed` of a
tool that nobody has used is the cosine with its description."""


def starting_weights(names: Sequence[str], columns: Sequence[int]) -> npt.NDArray[np.float64]:
    """The published weights of the features in these columns, 0 for those without one, (n_columns,)."""
    published = PAST_WEIGHTS if "neighbours" in names else COLD_WEIGHTS
    return np.array([published.get(names[column], 0.0) for column in columns])
