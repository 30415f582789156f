"""What every tool retriever promises, whatever is inside."""

from pathlib import Path

import numpy as np
import pytest

from predictors.errors import NotFittedError
from predictors.tools import (
    METHODS,
    InvalidToolError,
    Tool,
    ToolRetriever,
    ToolUsage,
    build_retriever,
    load_retriever,
    save_retriever,
)
from tests.predictors.tools.toys import WEATHER_AND_MONEY, CountedWords, crowded_registry, past_use

pytestmark = pytest.mark.usefixtures("few_trees")

QUERIES = ["weather forecast for the city", "convert dollar to euro", "rain", ""]


@pytest.fixture(params=sorted(METHODS))
def retriever(request: pytest.FixtureRequest) -> ToolRetriever:
    return build_retriever(request.param, CountedWords())


def test_asking_before_fitting_says_so(retriever: ToolRetriever) -> None:
    with pytest.raises(NotFittedError):
        retriever.rank(["x"], 1)


def test_k_tools_come_back_once_each_best_first(retriever: ToolRetriever) -> None:
    rankings = retriever.fit(WEATHER_AND_MONEY, past_use()).rank(QUERIES, 3)
    assert len(rankings) == len(QUERIES)
    for ranking in rankings:
        assert len(ranking.tool_ids) == len(set(ranking.tool_ids)) == len(ranking.scores) == 3
        assert set(ranking.tool_ids) <= {tool.tool_id for tool in WEATHER_AND_MONEY}
        assert (np.diff(ranking.scores) <= 0).all()
        assert np.isfinite(ranking.scores).all()


def test_a_registry_smaller_than_k_is_given_whole(retriever: ToolRetriever) -> None:
    assert len(retriever.fit(WEATHER_AND_MONEY, past_use()).rank(["rain"], 50)[0].tool_ids) == 4


def test_a_request_in_words_of_a_description_and_of_past_use_finds_its_tool(retriever: ToolRetriever) -> None:
    retriever.fit(WEATHER_AND_MONEY, past_use())
    assert retriever.rank(["convert or exchange dollar to euro"], 1)[0].tool_ids == ("convert",)


def test_no_usage_at_all_is_no_error(retriever: ToolRetriever) -> None:
    assert len(retriever.fit(WEATHER_AND_MONEY, ToolUsage()).rank(QUERIES, 2)) == len(QUERIES)


def test_usage_of_unknown_tools_is_ignored(retriever: ToolRetriever) -> None:
    usage = ToolUsage.of([*past_use().queries, "stray"], [*past_use().tool_ids, ["not-in-the-registry"]])
    assert retriever.fit(WEATHER_AND_MONEY, usage).rank(["rain"], 1)


def test_added_tools_may_come_back_and_removed_tools_may_not(retriever: ToolRetriever) -> None:
    retriever.fit(WEATHER_AND_MONEY, past_use())
    alarm = Tool(tool_id="alarm", name="alarm", description="Wake up by an alarm in the morning.")
    retriever.update(WEATHER_AND_MONEY.without(["weather"]).with_tools([alarm]))
    assert set(retriever.rank(["alarm"], 10)[0].tool_ids) == {"convert", "flight", "mystery", "alarm"}


def test_the_same_fit_ranks_the_same(retriever: ToolRetriever) -> None:
    registry, usage = crowded_registry(30)
    first = [r.tool_ids for r in retriever.fit(registry, usage).rank(usage.queries[:20], 5)]
    second = [r.tool_ids for r in retriever.fit(registry, usage).rank(usage.queries[:20], 5)]
    assert first == second


def test_a_saved_retriever_comes_back_and_ranks_to_the_last_bit(retriever: ToolRetriever, tmp_path: Path) -> None:
    registry, usage = crowded_registry(30)
    save_retriever(retriever.fit(registry, usage), tmp_path)
    restored = load_retriever(tmp_path, CountedWords())
    for before, after in zip(
        retriever.rank(usage.queries[:40], 10), restored.rank(usage.queries[:40], 10), strict=True
    ):
        assert before.tool_ids == after.tool_ids
        assert before.scores.tobytes() == after.scores.tobytes()


def test_a_restored_retriever_takes_in_changes_as_the_saved_one_does(retriever: ToolRetriever, tmp_path: Path) -> None:
    registry, usage = crowded_registry(30)
    save_retriever(retriever.fit(registry, usage), tmp_path)
    restored = load_retriever(tmp_path, CountedWords())
    changed = registry.without(["t0"]).with_tools([Tool(tool_id="alarm", name="alarm", description="Wake up.")])
    for before, after in zip(
        retriever.update(changed).rank(QUERIES, 10), restored.update(changed).rank(QUERIES, 10), strict=True
    ):
        assert before.tool_ids == after.tool_ids
        assert before.scores.tobytes() == after.scores.tobytes()


def test_what_was_never_fitted_cannot_be_saved(retriever: ToolRetriever, tmp_path: Path) -> None:
    with pytest.raises(NotFittedError):
        save_retriever(retriever, tmp_path)


def test_an_unknown_method_names_those_there_are() -> None:
    with pytest.raises(InvalidToolError, match=r"no retrieval method 'psychic'.*bm25"):
        build_retriever("psychic", CountedWords())
