import numpy as np
import pytest

from predictors.tools import vector_index
from predictors.tools.vector_index import VectorIndex


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_the_nearest_come_first_with_their_cosines() -> None:
    index = VectorIndex(dim=2)
    index.put(["east", "north", "northeast"], unit(np.array([[1, 0], [0, 1], [1, 1]])))
    (found,) = index.search(unit(np.array([[1, 0]])), 2)
    assert [tool for tool, _ in found] == ["east", "northeast"]
    assert [cosine for _, cosine in found] == pytest.approx([1.0, 0.5**0.5], abs=1e-6)


def test_a_removed_tool_is_gone_and_a_replaced_one_is_where_it_was_put_last() -> None:
    index = VectorIndex(dim=2)
    index.put(["a", "b"], unit(np.array([[1, 0], [0, 1]])))
    index.put(["a"], unit(np.array([[0, -1]])))
    index.remove(["b", "never there"])
    assert len(index) == 1
    assert index.search(unit(np.array([[1, 0]])), 5) == [[("a", 0.0)]]


def test_an_empty_index_finds_nothing() -> None:
    assert VectorIndex(dim=3).search(np.ones((2, 3), np.float32), 4) == [[], []]


def test_a_large_index_sorts_itself_into_lists_and_still_finds_add_and_removes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_index, "EXACT_UP_TO", 1_500)
    rng = np.random.default_rng(0)
    vectors = unit(rng.normal(size=(2_000, 8)))
    index = VectorIndex(dim=8)
    for start in range(0, 2_000, 500):
        index.put([f"t{i}" for i in range(start, start + 500)], vectors[start : start + 500])
    assert not index.is_exact
    found = index.search(vectors[:200], 1)
    assert np.mean([hits[0][0] == f"t{i}" for i, hits in enumerate(found)]) > 0.95
    index.remove(["t7"])
    assert all(tool != "t7" for tool, _ in index.search(vectors[7:8], 10)[0])
    index.put(["late"], vectors[7:8])
    assert index.search(vectors[7:8], 1)[0][0][0] == "late"
    assert len(index) == 2_000
