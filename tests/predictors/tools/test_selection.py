import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from predictors.tools import ToolRanking
from predictors.tools.selection import select_tools

OFFERED = {"a": 100, "b": 50, "c": 200, "d": 10}
RANKING = ToolRanking(tool_ids=("c", "b", "d", "a"), scores=np.array([0.9, 0.5, 0.2, 0.1]))


def test_the_best_ranked_tools_are_sent_in_the_order_they_were_offered() -> None:
    selection = select_tools(OFFERED, RANKING, ranked_among=OFFERED, top_k=2)
    assert selection.tool_ids == ("b", "c")
    assert selection.summary == "4->2"


def test_a_threshold_sends_fewer_than_top_k() -> None:
    assert select_tools(OFFERED, RANKING, ranked_among=OFFERED, min_score=0.6).tool_ids == ("c",)


def test_a_tool_too_large_for_the_budget_makes_room_for_smaller_ones_behind_it() -> None:
    selection = select_tools(OFFERED, RANKING, ranked_among=OFFERED, max_tokens=70)
    assert selection.tool_ids == ("b", "d")  # 50 + 10; c costs 200, a would cost 100


def test_forced_tools_stay_whatever_their_rank_and_price() -> None:
    selection = select_tools(OFFERED, RANKING, ranked_among=OFFERED, always=["a"], top_k=1, max_tokens=100)
    assert selection.tool_ids == ("a",)  # a alone spends the budget


def test_tools_the_retriever_does_not_know_are_never_dropped() -> None:
    assert select_tools(OFFERED, RANKING, ranked_among=["b", "c", "d"], top_k=1).tool_ids == ("a", "c")


def test_a_conversation_only_ever_adds_tools_at_the_end() -> None:
    selection = select_tools(OFFERED, RANKING, ranked_among=OFFERED, earlier=["d", "a", "gone"], top_k=1)
    assert selection.tool_ids == ("d", "a", "c")


def test_without_a_ranking_everything_is_sent() -> None:
    selection = select_tools(OFFERED, None, ranked_among=OFFERED, earlier=["c"])
    assert selection.tool_ids == ("c", "a", "b", "d")
    assert selection.summary == "4->4"


@given(
    always=st.sets(st.sampled_from("abcdx")),
    earlier=st.lists(st.sampled_from("abcdx"), unique=True),
    known=st.sets(st.sampled_from("abcd")),
    top_k=st.integers(0, 5),
    max_tokens=st.none() | st.integers(0, 400),
)
def test_what_must_stay_stays_and_nothing_is_sent_twice(
    always: set[str], earlier: list[str], known: set[str], top_k: int, max_tokens: int | None
) -> None:
    chosen = select_tools(
        OFFERED,
        RANKING,
        ranked_among=known,
        always=always,
        earlier=earlier,
        top_k=top_k,
        max_tokens=max_tokens,
    ).tool_ids
    assert len(set(chosen)) == len(chosen)
    assert set(chosen) <= set(OFFERED)
    assert (always & set(OFFERED)) | (set(earlier) & set(OFFERED)) | (set(OFFERED) - known) <= set(chosen)
    assert [tool for tool in chosen if tool in earlier] == [tool for tool in earlier if tool in OFFERED]
