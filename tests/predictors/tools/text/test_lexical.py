import bm25s
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictors.tools.text.lexical import LexicalIndex

DOCUMENTS = [["rain", "city"], ["euro", "dollar", "euro"], ["city", "flight", "book", "book"], ["song"]]


def index_of(documents: list[list[str]]) -> LexicalIndex:
    index = LexicalIndex()
    index.add([words] for words in documents)
    return index


@pytest.mark.parametrize("query", [["city"], ["euro", "book"], ["rain", "song", "nothing"]])
def test_scores_are_those_of_a_published_implementation(query: list[str]) -> None:
    theirs = bm25s.BM25(method="lucene", k1=1.5, b=0.75)
    theirs.index(DOCUMENTS, show_progress=False)
    ours = index_of(DOCUMENTS).scores(query)[:, 0]
    # Lucene leaves out the constant k1 + 1, which changes no ranking.
    known = [word for word in query if word != "nothing"]
    assert ours / 2.5 == pytest.approx(theirs.get_scores(known), abs=1e-6)


def test_a_repeated_query_word_counts_once() -> None:
    index = index_of(DOCUMENTS)
    assert index.scores(["city", "city"]) == pytest.approx(index.scores(["city"]))


def test_words_that_no_document_has_score_nothing() -> None:
    assert not index_of(DOCUMENTS).scores(["unheard"]).any()
    assert LexicalIndex().scores(["anything"]).shape == (0, 1)


def test_coverage_is_the_share_of_a_field_that_the_query_says_weighed_by_rarity() -> None:
    _, coverage, _ = index_of([["a", "b"], ["c"], ["d"]]).scores_of_query(["a", "c"], [])
    assert coverage == pytest.approx([0.5, 1.0, 0.0])  # a and b are equally rare


def test_fields_are_scored_apart() -> None:
    index = LexicalIndex(n_fields=2)
    index.add([[["rain"], ["city"]], [["city"], ["rain"]]])
    scores = index.scores(["rain"])
    assert (scores > 0).tolist() == [[True, False], [False, True]]


words = st.lists(st.sampled_from("abcdefg"), max_size=6)


@given(kept=st.lists(words, min_size=1, max_size=8), gone=st.lists(words, max_size=8), query=words)
@settings(max_examples=60)
def test_removing_documents_leaves_the_scores_of_an_index_that_never_had_them(
    kept: list[list[str]], gone: list[list[str]], query: list[str]
) -> None:
    index = LexicalIndex()
    slots = []
    for number, document in enumerate(kept):
        slots += index.add([[document]]).tolist()
        if number < len(gone):
            index.remove(index.add([[gone[number]]]))
    fresh = index_of(kept)
    scores, coverage, _ = index.scores_of_query(query, [])
    fresh_scores, fresh_coverage, _ = fresh.scores_of_query(query, [])
    assert scores[:, slots] == pytest.approx(fresh_scores)
    assert coverage[slots] == pytest.approx(fresh_coverage)
    assert len(index) == len(kept)


def test_the_index_grows_beyond_its_first_capacity() -> None:
    index = index_of([[f"w{number}"] for number in range(200)])
    assert np.flatnonzero(index.scores(["w150"])[:, 0]).tolist() == [150]


def test_parts_of_a_query_are_scored_as_queries_of_their_own() -> None:
    index = LexicalIndex(n_fields=2)
    index.add([words, ["city"]] for words in DOCUMENTS)
    whole = ["city", "euro", "book"]
    scores, coverage, parts = index.scores_of_query(whole, [["city"], ["euro", "book"]], covered=1)
    assert np.transpose(scores) == pytest.approx(index.scores(whole))
    assert coverage == pytest.approx([1.0] * 4)  # all that the second field says
    assert parts[0] == pytest.approx(index.scores(["city"])[:, 0])
    assert parts[1] == pytest.approx(index.scores(["euro", "book"])[:, 0])


def test_words_asked_before_a_change_are_weighed_anew_after_it() -> None:
    index = index_of(DOCUMENTS)
    index.scores(["city", "euro"])
    index.add([[["city"]]])
    index.remove([1])
    rest = [*DOCUMENTS[:1], *DOCUMENTS[2:], ["city"]]
    assert index.scores(["city", "euro"])[[0, 2, 3, 4]] == pytest.approx(index_of(rest).scores(["city", "euro"]))


@given(documents=st.lists(st.tuples(words, words), min_size=1, max_size=8), query=words)
@settings(max_examples=60)
def test_documents_added_at_once_and_one_by_one_score_alike_to_the_last_bit(
    documents: list[tuple[list[str], list[str]]], query: list[str]
) -> None:
    at_once, one_by_one = LexicalIndex(n_fields=2), LexicalIndex(n_fields=2)
    at_once.add(documents)
    for document in documents:
        one_by_one.add([document])
    parts = at_once.scores_of_query(query, [query[:2]]), one_by_one.scores_of_query(query, [query[:2]])
    assert all(np.array_equal(ours, theirs) for ours, theirs in zip(*parts, strict=True))


def test_very_many_documents_are_counted_in_several_goes() -> None:
    index = LexicalIndex()
    index.add([[f"w{number}", *["all"] * 300]] for number in range(2_000))  # 600,000 words
    assert np.flatnonzero(index.scores(["w1999"])[:, 0]).tolist() == [1_999]
    assert (index.scores(["all"]) > 0).all()
