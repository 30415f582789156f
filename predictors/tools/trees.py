"""Boosted trees as arrays, evaluated for all candidates of a request at once, without the library that grew them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = ["TreeEnsemble"]

MAX_LEAVES: Final = 16  # a leaf is a bit of a uint16


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeEnsemble:
    """A sum of small decision trees in QuickScorer's form: every test of every tree is made, none is walked.

    A failed test rules out the leaves on its left side; the leaf reached is the leftmost one that no test ruled out.
    Tests that pass rule out nothing, since a right leaf lies behind the left ones that a pass would reach.

    Source: Lucchese et al., QuickScorer, SIGIR 2015.
    """

    feature: npt.NDArray[np.int64]  # (n_tests, n_trees); unused tests are padding that always passes
    threshold: npt.NDArray[np.float32]  # (n_tests, n_trees); a test passes where feature <= threshold
    mask: npt.NDArray[np.uint16]  # (n_tests, n_trees); leaves that survive a failed test
    value: npt.NDArray[np.float64]  # (n_trees, MAX_LEAVES), of the leaves from left to right
    baseline: float

    def predict(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Raw scores of rows without NaN, shape (n_rows,).

        Args:
            features: (n_rows, n_features)
        """
        scores = np.empty(len(features))
        for start in range(0, len(features), _CHUNK):
            scores[start : start + _CHUNK] = self._predict_chunk(features[start : start + _CHUNK])
        return scores

    def _predict_chunk(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        columns = np.ascontiguousarray(features.T, dtype=np.float32)  # (n_features, n_rows)
        ruled_out = np.zeros((self.feature.shape[1], columns.shape[1]), dtype=np.uint16)  # (n_trees, n_rows) leaves
        for feature, threshold, mask in zip(self.feature, self.threshold, ~self.mask, strict=True):
            failed = columns.take(feature, axis=0) > threshold[:, None]  # (n_trees, n_rows), of one test of each tree
            ruled_out |= failed * mask[:, None]  # test by test: small arrays stay in the cache
        places = _LOWEST_BIT.take(~ruled_out)  # (n_trees, n_rows)
        places += np.arange(0, self.value.size, MAX_LEAVES)[:, None]
        total: npt.NDArray[np.float64] = self.baseline + self.value.reshape(-1).take(places).sum(axis=0)
        return total

    @classmethod
    def from_sklearn(cls, models: Sequence[Any]) -> "TreeEnsemble":
        """The mean of fitted binary HistGradientBoostingClassifiers: at most 16 leaves a tree, no NaN in their data."""
        grown = [tree.nodes for model in models for iteration in model._predictors for tree in iteration]  # noqa: SLF001 - no public way
        n_tests = max(1, *(int((nodes["is_leaf"] == 0).sum()) for nodes in grown))
        shape = (n_tests, len(grown))
        feature = np.zeros(shape, dtype=np.int64)
        threshold = np.full(shape, np.inf, dtype=np.float32)
        mask = np.full(shape, _ALL, dtype=np.uint16)
        value = np.zeros((len(grown), MAX_LEAVES))
        for tree, nodes in enumerate(grown):
            tests, leaves = _flatten(nodes)
            value[tree, : len(leaves)] = np.array(leaves) / len(models)
            for number, (column, limit, ruled_out) in enumerate(tests):
                feature[number, tree], threshold[number, tree] = column, _rounded_down(limit)
                mask[number, tree] = int(_ALL) & ~ruled_out
        baseline = float(np.mean([np.asarray(model._baseline_prediction).reshape(-1)[0] for model in models]))  # noqa: SLF001
        return cls(feature=feature, threshold=threshold, mask=mask, value=value, baseline=baseline)


_CHUNK: Final = 512
_ALL: Final = np.uint16(0xFFFF)
_LOWEST_BIT: Final = np.array([((n & -n).bit_length() - 1) % MAX_LEAVES for n in range(1 << 16)], dtype=np.int64)


def _rounded_down(limit: float) -> np.float32:
    """The largest float32 not above a threshold: float32 features fall on the same side of both."""
    near = np.float32(limit)
    return np.nextafter(near, np.float32(-np.inf)) if near > limit else near


def _flatten(nodes: Any) -> tuple[list[tuple[int, float, int]], list[float]]:  # noqa: ANN401 - a structured array
    """Tests as (feature, threshold, bits of the leaves on the left), and leaf values from left to right."""
    tests: list[tuple[int, float, int]] = []
    leaves: list[float] = []

    def descend(index: int) -> int:
        """Bits of the leaves below a node."""
        node = nodes[index]
        if node["is_leaf"]:
            leaves.append(float(node["value"]))
            return 1 << (len(leaves) - 1)
        place = len(tests)
        tests.append((0, 0.0, 0))
        below_left = descend(int(node["left"]))
        tests[place] = (int(node["feature_idx"]), float(node["num_threshold"]), below_left)
        return below_left | descend(int(node["right"]))

    descend(0)
    return tests, leaves
