import numpy as np

from predictors.tools.channels.multi_label import MultiLabelHead
from predictors.tools.channels.smoothed import SmoothedTool2Vec
from predictors.tools.evidence import Evidence, QueryBatch
from predictors.tools.second_stage.listwise import softmax
from tests.predictors.tools.toys import CountedWords, crowded_registry


def surprise(scores: np.ndarray, tools: np.ndarray) -> float:
    """Mean -log share of the used tool, at the head's own scale."""
    shares = softmax(20.0 * scores.astype(np.float64))
    return float(-np.log(shares[np.arange(len(tools)), tools]).mean())


def test_the_head_tells_tools_apart_better_than_the_means_it_began_at() -> None:
    registry, usage = crowded_registry(40, n_queries=400)
    evidence = Evidence.gather(registry, usage, CountedWords())
    head = MultiLabelHead().learn(evidence).score(evidence.past)[0]
    means = SmoothedTool2Vec().learn(evidence).score(evidence.past)[0]
    assert surprise(head, evidence.pairs.tool) < 0.95 * surprise(means, evidence.pairs.tool)


def test_held_out_heads_do_not_know_the_request() -> None:
    registry, usage = crowded_registry(40)
    head = MultiLabelHead().learn(Evidence.gather(registry, usage, CountedWords()))
    rows = np.arange(len(usage))
    assert not np.allclose(head.score_past(rows), head.score(head.evidence_.past))


def test_fitting_twice_gives_the_same_head() -> None:
    registry, usage = crowded_registry(20)
    evidence = Evidence.gather(registry, usage, CountedWords())
    query = QueryBatch.read(["weather and rain"], CountedWords())
    assert np.array_equal(MultiLabelHead().learn(evidence).score(query), MultiLabelHead().learn(evidence).score(query))
