"""Tools that are used together: whoever books a flight often needs the weather too."""

from collections import defaultdict

import numpy as np
import numpy.typing as npt

from predictors.tools.evidence import Evidence

__all__ = ["CoUse"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_N_SPEAKERS = 10  # only a request's likeliest candidates speak for others
_DOUBT = 2.0  # imagined requests that used the speaker and nothing else


class CoUse:
    """How often two tools served the same request, as the support that likely candidates lend to the others.

    support(t) = sum over the likeliest candidates s of share(s) * n(s and t) / (n(s) + 2).
    """

    def __init__(self, evidence: Evidence) -> None:
        self.n_tools = len(evidence.registry)
        self.counts = evidence.counts  # (n_tools,)
        self.levelled = evidence.levelled  # (n_tools,)
        together: defaultdict[int, dict[int, int]] = defaultdict(dict)
        groups = np.split(evidence.pairs.tool, np.flatnonzero(np.diff(evidence.pairs.query)) + 1)
        for group in groups:
            for tool in group.tolist():
                partners = together[tool]
                for other in group.tolist():
                    if other != tool:
                        partners[other] = partners.get(other, 0) + 1
        self._partners = {
            tool: (np.array(list(found), dtype=np.int64), np.array(list(found.values()), dtype=np.float64))
            for tool, found in together.items()
            if found
        }

    def support(self, shares: Floats, tool: Ints, *, own: Ints | None = None) -> Floats:
        """Support of one request's candidates, shape (n_candidates,).

        Args:
            shares: (n_candidates,) how likely each candidate is, by the first stage.
            tool: (n_candidates,) rows of the registry.
            own: the tools that a past request is known to have used: it does not testify for itself. Levelled
                tools are less one use as well, on average (see `Channel.score_past`).
        """
        lent = np.zeros(self.n_tools)
        for place in np.argsort(-shares, kind="stable")[:_N_SPEAKERS]:
            speaker = int(tool[place])
            found = self._partners.get(speaker)
            if found is None:
                continue
            partners, together = found
            total = float(self.counts[speaker])
            if own is not None:
                used = np.isin(partners, own)  # (n_partners,)
                others = np.where(self.levelled[partners], together * (1.0 - 1.0 / self.counts[partners]), together)
                total -= float(self.levelled[speaker] or speaker in own)
                together = np.where(used, together - float(speaker in own), others)
            lent[partners] += shares[place] * together / (total + _DOUBT)
        return lent[tool]
