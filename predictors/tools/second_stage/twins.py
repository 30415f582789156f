"""Tools that say nearly the same of themselves: where one of them ranks high, is another needed as well, or instead?"""

from typing import Final

import numpy as np
import numpy.typing as npt

from predictors.tools.evidence import Evidence

__all__ = ["Twins"]

_ALIKE: Final = 0.8  # cosine of two descriptions from which on they are twins


class Twins:
    """How each candidate of a request stands to its twins among the others.

    Other features see a candidate alone: five copies of one tool look as good as each of them. Here a candidate sees
    who stands above it, so that the second look can learn whether a registry's requests ask for one of such tools,
    or for tools of different kinds.
    """

    n_features: Final = 3

    def __init__(self, evidence: Evidence) -> None:
        self.vectors = evidence.tool_vectors  # (n_tools, dim), unit rows

    def describe(self, tool: npt.NDArray[np.int64], shares: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """The nearest tool above (cosine, 0 for none), twins above (log of 1 + n), and what all twins share.

        Args:
            tool: (n_candidates,) rows of the registry, the likeliest first.
            shares: (n_candidates,) how likely each is, by the first stage.

        Returns:
            (n_candidates, 3)
        """
        vectors = self.vectors[tool]  # (n_candidates, dim)
        likeness = vectors @ vectors.T  # (n_candidates, n_candidates)
        above = np.tri(len(tool), k=-1, dtype=np.float32)  # (n_candidates, n_candidates), 1 for who ranks higher
        twin = (likeness > _ALIKE).astype(np.float32)  # (n_candidates, n_candidates)
        np.fill_diagonal(twin, 0.0)
        described = np.empty((len(tool), self.n_features), dtype=np.float32)
        described[:, 0] = (likeness * above).max(axis=1)
        described[:, 1] = np.log1p((twin * above).sum(axis=1))
        described[:, 2] = twin @ shares
        return described
