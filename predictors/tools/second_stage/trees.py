"""Boosted trees as arrays, evaluated for all candidates of a request at once, without the library that grew them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = ["TreeEnsemble"]

MAX_LEAVES: Final = 16  # a leaf is a bit of a uint16


@dataclass(frozen=True, kw_only=True)
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
            chunk = features[start : start + _CHUNK]
            scores[start : start + _CHUNK] = self._predict_chunk(chunk)[: len(chunk)]
        return scores

    def _predict_chunk(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Scores of at most _CHUNK rows, shape (_CHUNK,); those beyond the given rows mean nothing."""
        tests = self._tests
        columns = np.zeros((features.shape[1], _CHUNK), dtype=np.float32)  # (n_features, _CHUNK)
        columns[:, : len(features)] = features.T
        failed = columns.take(tests.feature, axis=0) > tests.threshold  # (n_distinct, _CHUNK)
        ruled_out = failed.view(np.uint8).take(tests.place, axis=0) * tests.ruled_out  # (n_tests * n_trees, _CHUNK)
        of_tree = np.bitwise_or.reduce(ruled_out.reshape(*self.feature.shape, _CHUNK), axis=0)  # (n_trees, _CHUNK)
        places = _LOWEST_BIT.take(~of_tree)  # (n_trees, _CHUNK)
        places += np.arange(0, self.value.size, MAX_LEAVES)[:, None]
        total: npt.NDArray[np.float64] = self.baseline + self.value.reshape(-1).take(places).sum(axis=0)
        return total

    @cached_property
    def _tests(self) -> "_Tests":
        pairs = np.stack([self.feature.reshape(-1), self.threshold.reshape(-1)], axis=1)  # (n_tests * n_trees, 2)
        distinct, place = np.unique(pairs, axis=0, return_inverse=True)
        leaves = ~self.mask.reshape(-1, 1)  # (n_tests * n_trees, 1)
        narrow = leaves.astype(np.uint8 if leaves.max(initial=0) < 1 << 8 else np.uint16)
        return _Tests(
            feature=distinct[:, 0].astype(np.int64),
            threshold=distinct[:, 1:].astype(np.float32),
            place=place.reshape(-1),
            ruled_out=np.repeat(narrow, _CHUNK, axis=1),
        )

    def scaled(self, factor: float) -> "TreeEnsemble":
        """The same trees, whose scores are `factor` times as high."""
        return replace(self, value=factor * self.value, baseline=factor * self.baseline)

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tests:
    """The tests of all trees, as they are made: a third of them are distinct, since features have few thresholds."""

    feature: npt.NDArray[np.int64]  # (n_distinct,)
    threshold: npt.NDArray[np.float32]  # (n_distinct, 1)
    place: npt.NDArray[np.int64]  # (n_tests * n_trees,) of each test among the distinct ones
    ruled_out: npt.NDArray[np.unsignedinteger[Any]]  # (n_tests * n_trees, _CHUNK) leaves, the same for all rows


_CHUNK: Final = 32  # rows, as many as a request has; a fixed width lets masks lie beside the rows they are for
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
