import numpy as np
import pytest

from predictors.tools.candidates import CandidateFeatures


def first_picked(planes: dict[str, list[float]], *, used: bool = True) -> int:
    """The one tool that is looked at twice, by scores of all; `used` adds votes of past requests, alike for all."""
    n_tools = len(next(iter(planes.values())))
    scores = {**planes, "neighbours": [0.5] * n_tools} if used else planes
    features = CandidateFeatures(planes=list(scores), n_candidates=1)
    stacked = np.array(list(scores.values()), dtype=np.float32)[:, None, :]  # (n_planes, 1, n_tools)
    built = features.build(stacked, uses=np.zeros((1, n_tools), dtype=np.int64), n_clauses=np.ones(1, dtype=np.int64))
    return int(built.tool[0, 0])


@pytest.mark.parametrize(("used", "picked"), [(False, 0), (True, 1)])
def test_what_use_has_taught_of_descriptions_is_believed_over_descriptions(used: bool, picked: int) -> None:
    mapped = {"mapped": [0.2, 0.6]} if used else {}
    assert first_picked({"dense": [0.9, 0.5], **mapped}, used=used) == picked


def test_the_best_tool_for_one_step_of_a_request_is_looked_at_though_another_shares_more_words() -> None:
    share = np.log([0.001, 0.5]).tolist()  # of the steps: next to none, and one of two
    assert first_picked({"bm25": [10.0, 9.0], "bm25_clause_share": share}) == 1
    assert first_picked({"bm25": [10.0, 9.0]}) == 0


def test_a_late_plane_is_asked_of_candidates_alone_and_compared_with_the_best_of_them() -> None:
    features = CandidateFeatures(planes=["dense"], late=["dense_clause"], n_candidates=2)
    asked: list[list[list[int]]] = []

    def late(tool: np.ndarray) -> np.ndarray:
        asked.append(tool.tolist())
        return tool[None].astype(np.float32) / 10  # each tool's place in the registry, in tenths

    planes = np.array([[[0.9, 0.1, 0.8, 0.2]]], dtype=np.float32)  # (1, 1, n_tools)
    built = features.build(
        planes, uses=np.zeros((1, 4), dtype=np.int64), n_clauses=np.ones(1, dtype=np.int64), late=[late]
    )
    assert asked == [built.tool.tolist()]
    assert sorted(built.tool[0].tolist()) == [0, 2]
    of_tool = dict(zip(built.tool[0].tolist(), built.features[0], strict=True))
    gap, rank = features.names.index("dense_clause:gap"), features.names.index("dense_clause:rank")
    assert of_tool[2][gap] == 0.0  # though the last tool of all would have more
    assert of_tool[0][gap] == pytest.approx(5 * (0.0 - 0.2))  # scaled as every cosine is
    assert [of_tool[2][rank], of_tool[0][rank]] == pytest.approx([0.0, np.log(2)])
