import numpy as np
import pytest

from eval.errors import UndefinedMetricError
from eval.tools.metrics import Hits

HITS = Hits.of([["a", "x", "b"], ["x", "y", "z"]], [["a", "b"], ["z"]], depth=4)


def test_recall_is_the_share_of_relevant_tools_in_the_top() -> None:
    assert HITS.recall(1).tolist() == [0.5, 0.0]
    assert HITS.recall(3).tolist() == [1.0, 1.0]


def test_completeness_asks_for_all_relevant_tools() -> None:
    assert HITS.completeness(2).tolist() == [0.0, 0.0]
    assert HITS.completeness(3).tolist() == [1.0, 1.0]


def test_gain_is_discounted_by_rank_and_divided_by_the_best_possible() -> None:
    # first query: (1 + 1/log2(4)) / (1 + 1/log2(3)); second: 1/log2(4) over 1
    assert HITS.ndcg(3) == pytest.approx([1.5 / (1 + 1 / np.log2(3)), 0.5])


def test_a_short_ranking_has_nothing_beyond_its_end() -> None:
    assert HITS.at_rank.shape == (2, 4)
    assert HITS.recall(20).tolist() == [1.0, 1.0]
    assert HITS.ndcg(20)[1] == pytest.approx(0.5)


def test_a_request_without_relevant_tools_defines_no_recall() -> None:
    with pytest.raises(UndefinedMetricError, match="query 0 has no relevant tool"):
        Hits.of([["a"]], [[]], depth=1)


def test_a_ranking_may_not_name_a_tool_twice() -> None:
    with pytest.raises(UndefinedMetricError, match="twice"):
        Hits.of([["a", "a"]], [["a"]], depth=2)
