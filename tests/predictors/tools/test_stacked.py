import numpy as np
import pytest

from predictors.errors import NotFittedError
from predictors.tools import StackedRetriever, Tool, ToolRegistry, ToolUsage, UsageStatistics
from predictors.tools.channels.multi_label import MultiLabelHead
from predictors.tools.evidence import Evidence
from predictors.tools.stacked import channels_for

from .toys import WEATHER_AND_MONEY, CountedWords, crowded_registry, past_use


def test_without_usage_words_and_meaning_decide() -> None:
    retriever = StackedRetriever(CountedWords()).fit(WEATHER_AND_MONEY, ToolUsage())
    assert retriever.rank(["convert dollar to euro"], 1)[0].tool_ids == ("convert",)
    assert retriever.choice.chosen == "prior"


def test_usage_teaches_words_that_no_description_has() -> None:
    unused = StackedRetriever(CountedWords()).fit(WEATHER_AND_MONEY, ToolUsage())
    used = StackedRetriever(CountedWords()).fit(WEATHER_AND_MONEY, past_use())
    assert used.rank(["rain"], 1)[0].tool_ids == ("weather",)
    assert used.rank(["play that song"], 1)[0].tool_ids == ("mystery",)
    assert float(unused.rank(["rain"], 1)[0].scores[0]) < float(used.rank(["rain"], 1)[0].scores[0])


def test_a_tool_that_nobody_used_is_found_among_tools_that_many_used() -> None:
    registry, usage = crowded_registry(40)
    cold = Tool(tool_id="cold", name="tune_piano", description="Tune a piano that sounds wrong.")
    retriever = StackedRetriever(CountedWords()).fit(registry.with_tools([cold]), usage)
    assert "cold" in retriever.rank(["my piano sounds wrong, please tune it"], 3)[0].tool_ids


def test_tools_that_nobody_used_are_found_where_all_others_were_used_often() -> None:
    """A fifth of the tools is new; requests as they were, one by one, never met a tool that nobody else had used."""
    registry, usage = crowded_registry(60, n_queries=400)
    new = {f"t{i}" for i in range(0, 60, 5)}
    asked = [used[0] in new for used in usage.tool_ids]
    past = usage.subset([row for row, of_new in enumerate(asked) if not of_new])
    coming = usage.subset([row for row, of_new in enumerate(asked) if of_new])
    retriever = StackedRetriever(CountedWords()).fit(registry, past)
    found = retriever.rank(coming.queries, 5)
    hit = [used[0] in ranking.tool_ids for ranking, used in zip(found, coming.tool_ids, strict=True)]
    assert np.mean(hit) > 0.8


def used_then_joined_by_new(*, boosted: bool | None = None) -> tuple[StackedRetriever, ToolRegistry, ToolUsage]:
    """Fitted where every tool is used often; the registry that a fifth of new tools joins, and requests for these."""
    whole, usage = crowded_registry(60, seed=1, n_queries=400)
    new = {f"t{i}" for i in range(0, 60, 5)}
    asked = np.array([used[0] in new for used in usage.tool_ids])
    past, coming = usage.subset(np.flatnonzero(~asked)), usage.subset(np.flatnonzero(asked))
    fitted_on = ToolRegistry(tools=tuple(tool for tool in whole if tool.tool_id not in new))
    return StackedRetriever(CountedWords(), boosted=boosted).fit(fitted_on, past), whole, coming


def share_found(retriever: StackedRetriever, coming: ToolUsage, *, within: int) -> float:
    found = retriever.rank(coming.queries, within)
    return float(np.mean([used[0] in r.tool_ids for r, used in zip(found, coming.tool_ids, strict=True)]))


def test_tools_that_join_a_registry_all_of_whose_tools_were_used_are_found_without_fitting() -> None:
    retriever, whole, coming = used_then_joined_by_new()
    assert retriever.evidence_.counts.all()
    assert share_found(retriever.update(whole), coming, within=3) > 0.8


def test_tools_that_were_there_keep_their_order_when_others_join() -> None:
    retriever, whole, coming = used_then_joined_by_new(boosted=False)
    known = retriever.known_
    rankings = [retriever.update(whole).rank(coming.queries, 64)]
    retriever.stage_for_new_ = None
    rankings.append(retriever.update(whole).rank(coming.queries, 64))
    of_known = [[[t for t in ranking.tool_ids if t in known] for ranking in found] for found in rankings]
    assert of_known[0] == of_known[1]


def test_a_tool_that_joined_is_judged_as_others_are_once_it_is_used() -> None:
    retriever, whole, coming = used_then_joined_by_new(boosted=False)
    retriever.update(whole)
    assert retriever.new_ is not None
    assert retriever.new_.sum() == 12
    observed = UsageStatistics(dim=CountedWords.dim, half_life_s=1e6)
    observed.observe("t0", CountedWords().encode([coming.queries[0]])[0], replica="r", at_s=0.0)
    retriever.learn(observed, now_s=0.0)
    assert retriever.new_.sum() == 11


def test_an_added_tool_is_found_and_a_removed_one_is_gone_without_fitting() -> None:
    retriever = StackedRetriever(CountedWords()).fit(WEATHER_AND_MONEY, past_use())
    stage = retriever.stage_
    alarm = Tool(tool_id="alarm", name="set_alarm", description="Wake me in the morning by an alarm.")
    retriever.update(WEATHER_AND_MONEY.with_tools([alarm]).without(["flight"]))
    assert retriever.rank(["set an alarm"], 1)[0].tool_ids == ("alarm",)
    assert "flight" not in retriever.rank(["book a flight"], 5)[0].tool_ids
    assert retriever.stage_ is stage


@pytest.mark.usefixtures("few_trees")
def test_updating_there_and_back_ranks_as_before() -> None:
    registry, usage = crowded_registry(30)
    retriever = StackedRetriever(CountedWords(), boosted=False).fit(registry, usage)
    before = retriever.rank(usage.queries[:20], 5)
    extra = Tool(tool_id="extra", name="weather_song", description="Song of the weather.")
    retriever.update(registry.with_tools([extra])).update(registry)
    after = retriever.rank(usage.queries[:20], 5)
    assert [r.tool_ids for r in after] == [r.tool_ids for r in before]


@pytest.mark.usefixtures("few_trees")
def test_scores_are_probabilities_and_fall_along_the_ranking() -> None:
    registry, usage = crowded_registry(40)
    for ranking in StackedRetriever(CountedWords()).fit(registry, usage).rank(usage.queries[:30], 10):
        assert (np.diff(ranking.scores) <= 0).all()
        assert 0.0 <= ranking.scores.min() <= ranking.scores.max() <= 1.0


@pytest.mark.usefixtures("few_trees")
def test_a_request_alone_and_in_a_batch_ranks_alike() -> None:
    registry, usage = crowded_registry(40)
    retriever = StackedRetriever(CountedWords()).fit(registry, usage)
    batch = retriever.rank(usage.queries[:8], 5)
    for query, together in zip(usage.queries[:8], batch, strict=True):
        alone = retriever.rank([query], 5)[0]
        assert alone.tool_ids == together.tool_ids
        assert alone.scores == pytest.approx(together.scores, abs=0.02)  # a last bit may cross one of 300 thresholds


def test_an_empty_registry_has_nothing_to_offer() -> None:
    retriever = StackedRetriever(CountedWords()).fit(ToolRegistry(tools=()), ToolUsage())
    assert [r.tool_ids for r in retriever.rank(["anything", "else"], 3)] == [(), ()]


def test_ranking_before_fitting_says_so() -> None:
    with pytest.raises(NotFittedError, match="StackedRetriever has not been fitted"):
        StackedRetriever(CountedWords()).rank(["x"], 1)


def test_observed_calls_teach_a_registry_that_was_never_fitted_on_use() -> None:
    encoder = CountedWords()
    retriever = StackedRetriever(encoder).fit(WEATHER_AND_MONEY, ToolUsage())
    before = retriever.rank(["play some music in the city"], 1)[0].tool_ids
    observed = UsageStatistics(dim=encoder.dim, half_life_s=1e6)
    for _ in range(20):
        observed.observe("mystery", encoder.encode(["play music"])[0], replica="r", at_s=0.0)
    retriever.learn(observed, now_s=0.0)
    assert before != ("mystery",)
    assert retriever.rank(["play some music in the city"], 1)[0].tool_ids == ("mystery",)


def test_observed_calls_fade() -> None:
    encoder = CountedWords()
    retriever = StackedRetriever(encoder).fit(WEATHER_AND_MONEY, ToolUsage())
    fresh = retriever.rank(["play some music"], 4)[0]
    observed = UsageStatistics(dim=encoder.dim, half_life_s=1.0)
    observed.observe("mystery", encoder.encode(["play music"])[0], replica="r", at_s=0.0)
    later = retriever.learn(observed, now_s=60.0).rank(["play some music"], 4)[0]
    assert later.tool_ids == fresh.tool_ids
    assert later.scores == pytest.approx(fresh.scores, abs=1e-4)


@pytest.mark.parametrize("n_uses", [1, 2])
def test_equal_use_of_all_tools_does_not_teach_to_prefer_the_tool_that_lost_one(n_uses: int) -> None:
    """Two words name a tool; with leave-one-out alone, every used tool was the one with a use less than all others."""
    registry, _ = crowded_registry(60)
    names = [tool.name.split("_") for tool in registry]
    queries = [f"{a} with {b} number {turn}" for turn in range(n_uses) for a, b in names]
    even = ToolUsage.of(queries, [[tool.tool_id] for _ in range(n_uses) for tool in registry])
    retriever = StackedRetriever(CountedWords(), boosted=n_uses > 1 or None).fit(registry, even)
    asked = [f"please {b} and {a} now" for a, b in names]
    found = [r.tool_ids[0] for r in retriever.rank(asked, 1)]
    assert np.mean([best == tool.tool_id for best, tool in zip(found, registry, strict=True)]) > 0.8


def test_use_cut_off_at_so_many_examples_does_not_teach_that_popular_tools_are_wrong() -> None:
    """Half of the tools stand at five uses exactly; every request to come needs one of them."""
    registry, _ = crowded_registry(40)
    names = [tool.name.split("_") for tool in registry]
    rng = np.random.default_rng(0)
    used = [tool for tool in range(20) for _ in range(5)] + [tool for tool in range(20, 40) for _ in range(tool % 4)]
    used = [used[int(i)] for i in rng.permutation(len(used))]
    queries = [f"{names[tool][0]} with {names[tool][1]} number {i}" for i, tool in enumerate(used)]
    usage = ToolUsage.of(queries, [[f"t{tool}"] for tool in used])
    retriever = StackedRetriever(CountedWords()).fit(registry, usage)
    assert retriever.evidence_.levelled.sum() == 20
    found = [r.tool_ids[0] for r in retriever.rank([f"please {b} and {a} now" for a, b in names[:20]], 1)]
    assert np.mean([best == f"t{tool}" for tool, best in enumerate(found)]) > 0.8


@pytest.mark.usefixtures("few_trees")
def test_a_large_registry_is_ranked_by_what_is_put_forward_as_if_all_of_it_were_scored() -> None:
    registry, usage = crowded_registry(60)
    whole = StackedRetriever(CountedWords()).fit(registry, usage)
    parts = StackedRetriever(CountedWords(), exact_up_to=10)
    parts.restore(whole.evidence_, whole.channels_, whole.stage_)
    assert parts.prefilter_ is not None
    for query, found in zip(usage.queries[:50], parts.rank(usage.queries[:50], 5), strict=True):
        exact = whole.rank([query], 5)[0]  # alone, as it is scored there: a batch sums in another order
        assert found.tool_ids == exact.tool_ids
        assert found.scores == pytest.approx(exact.scores, abs=1e-6)


@pytest.mark.usefixtures("few_trees")
def test_a_large_registry_is_fitted_request_by_request() -> None:
    registry, usage = crowded_registry(60)
    parts = StackedRetriever(CountedWords(), exact_up_to=10).fit(registry, usage)
    assert parts.choice.n_queries == 200
    found = [r.tool_ids for r in parts.rank(usage.queries[:50], 5)]
    assert np.mean([used[0] in ids for ids, used in zip(found, usage.tool_ids, strict=False)]) > 0.8


@pytest.mark.usefixtures("few_trees")
def test_a_registry_that_outgrows_exact_scoring_is_indexed_then_and_one_that_shrinks_is_not() -> None:
    registry, usage = crowded_registry(30)
    retriever = StackedRetriever(CountedWords(), exact_up_to=30).fit(registry, usage)
    assert retriever.prefilter_ is None
    alarm = Tool(tool_id="alarm", name="alarm", description="Wake up by an alarm in the morning.")
    retriever.update(registry.with_tools([alarm]))
    assert retriever.prefilter_ is not None
    assert retriever.rank(["set the alarm to wake me"], 3)[0].tool_ids[0] == "alarm"
    retriever.update(registry)
    assert retriever.prefilter_ is None


@pytest.mark.parametrize(("uses_per_tool", "has_head"), [(2, False), (3, True)])
def test_a_classifier_joins_where_a_used_tool_was_used_three_times(uses_per_tool: int, has_head: bool) -> None:
    texts = [f"rain {n}" for n in range(uses_per_tool)]
    usage = ToolUsage.of([*texts, *texts], [*[["weather"]] * uses_per_tool, *[["flight"]] * uses_per_tool])
    evidence = Evidence.gather(WEATHER_AND_MONEY, usage, CountedWords())
    assert evidence.mean_uses == uses_per_tool
    assert any(isinstance(channel, MultiLabelHead) for channel in channels_for(evidence)) is has_head
