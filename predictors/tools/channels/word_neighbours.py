"""What the past requests with the same rare words used."""

from collections.abc import Sequence
from typing import Self

import numpy as np
import numpy.typing as npt

from predictors.tools.evidence import Evidence, QueryBatch
from predictors.tools.protocol import Planes, Rows
from predictors.tools.text.lexical import LexicalIndex

from .neighbours import speaking_pairs, tools_of_requests, vote

__all__ = ["WordNeighbours"]


class WordNeighbours:
    """`UsageNeighbours` by words in place of meaning: BM25 between requests, as a share of the best match."""

    planes = ("word_neighbours", "word_nearest")

    def __init__(self, *, n_neighbours: int = 48, temperature: float = 0.12) -> None:
        self.n_neighbours, self.temperature = n_neighbours, temperature

    def learn(self, evidence: Evidence) -> Self:
        """Index past requests."""
        self.evidence_ = evidence
        self.index_ = LexicalIndex(k1=0.9, b=0.4)
        self.index_.add([words] for words in evidence.past.words)
        self.tools_of_ = tools_of_requests(evidence)
        return self

    def update(self, evidence: Evidence) -> Self:
        """Index anew only if the requests themselves changed with the registry."""
        if evidence.past is not self.evidence_.past:
            return self.learn(evidence)
        self.evidence_, self.tools_of_ = evidence, tools_of_requests(evidence)
        return self

    def score(self, queries: QueryBatch, tools: Rows | None = None) -> Planes:
        """Scores of new requests, shape (2, n_queries, n_tools)."""
        planes = self._votes(queries.words, excluded=None, stripped=None)
        return planes if tools is None else planes[:, :, tools]

    def score_past(self, rows: Rows, stripped: Rows | None = None, tools: Rows | None = None) -> Planes:
        """Scores with each request kept from being its own neighbour, shape (2, n_rows, n_tools)."""
        words = [self.evidence_.past.words[row] for row in rows]
        planes = self._votes(words, excluded=rows, stripped=stripped)
        return planes if tools is None else planes[:, :, tools]

    def _votes(
        self,
        queries: Sequence[tuple[str, ...]],
        *,
        excluded: npt.NDArray[np.int64] | None,
        stripped: npt.NDArray[np.int64] | None,
    ) -> Planes:
        n_tools = len(self.evidence_.registry)
        planes = np.zeros((2, len(queries), n_tools), dtype=np.float32)
        if not len(self.evidence_.past):
            return planes
        for row, words in enumerate(queries):
            similarity = self.index_.scores(words)[:, 0]  # (n_past,)
            if excluded is not None:
                similarity[excluded[row]] = 0.0
            best = similarity.max()
            if best <= 0.0:
                continue
            vote(
                (similarity / best).astype(np.float32),
                self.tools_of_,
                planes=planes[:, row],
                n_neighbours=min(self.n_neighbours, int(np.count_nonzero(similarity))),  # no word, no vote
                temperature=self.temperature,
                speaking=speaking_pairs(self.tools_of_, stripped, own=None if excluded is None else int(excluded[row])),
            )
            planes[1, row] *= best  # how good the match is, not only how it compares
        return planes
