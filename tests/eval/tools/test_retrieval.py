import os
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from eval.errors import UndefinedMetricError
from eval.tools.retrieval import evaluate, recall_by_usage, thin_usage
from eval.tools.tables import LabelledRegistry, read_labelled
from predictors.encoders import StaticEncoder
from predictors.tools import ToolUsage

from .tool_files import write_tool_files


@pytest.fixture
def labelled(tmp_path: Path) -> LabelledRegistry:
    tools, queries = write_tool_files(tmp_path)
    return read_labelled(tools, queries, queries)


def test_methods_stand_beside_description_retrieval_with_paired_gains(labelled: LabelledRegistry) -> None:
    ticks = count()
    result = evaluate(labelled, ["bm25", "smoothed"], StaticEncoder.load(), clock=lambda: float(next(ticks)))
    assert [row.method for row in result.methods] == ["dense", "bm25", "smoothed"]
    by_name = {row.method: row for row in result.methods}
    gain = result.gains["smoothed"]["R@1"]
    assert gain.mean == pytest.approx(by_name["smoothed"].metrics["R@1"] - by_name["dense"].metrics["R@1"])
    assert gain.interval.lower <= gain.mean <= gain.interval.upper
    assert by_name["bm25"].metrics["R@3"] == 1.0  # three tools in all
    assert by_name["bm25"].fit_s == 1.0
    assert by_name["bm25"].rank_ms == 500.0  # one tick for two requests


def test_seen_and_cold_requests_are_told_apart(labelled: LabelledRegistry) -> None:
    flights_only = LabelledRegistry(
        registry=labelled.registry,
        train=ToolUsage.of(["swap euro"], [["c"]]),
        test=labelled.test,
        test_ids=labelled.test_ids,
    )
    result = evaluate(flights_only, ["best"], StaticEncoder.load(), clock=lambda: 0.0)
    assert (result.n_seen, result.n_cold) == (1, 1)
    best = result.methods[-1]
    assert best.metrics["R@1"] == pytest.approx((best.seen["R@1"] + best.cold["R@1"]) / 2)
    one = best.cold_intervals["R@1"]
    assert one.lower == one.upper == best.cold["R@1"]  # one request: every draw is the same


def test_on_cold_requests_usage_is_held_against_the_best_that_knows_none(labelled: LabelledRegistry) -> None:
    unused = LabelledRegistry(
        registry=labelled.registry, train=ToolUsage(), test=labelled.test, test_ids=labelled.test_ids
    )
    result = evaluate(unused, ["bm25", "unused", "tool2vec", "best"], StaticEncoder.load(), clock=lambda: 0.0)
    assert set(result.cold_gaps) == {"tool2vec", "best"}
    by_name = {row.method: row.cold["R@5"] for row in result.methods}
    gap = result.cold_gaps["tool2vec"]
    assert by_name[gap.best_without_usage] == max(by_name[name] for name in ("dense", "bm25", "unused"))
    assert gap.mean == by_name["tool2vec"] - by_name[gap.best_without_usage]
    assert not evaluate(labelled, ["best"], StaticEncoder.load(), clock=lambda: 0.0).cold_gaps


def test_requests_without_labels_are_ranked_and_not_judged(labelled: LabelledRegistry) -> None:
    half = replace(labelled, test=ToolUsage.of(labelled.test.queries, [labelled.test.tool_ids[0], ()]))
    whole = evaluate(half, ["bm25"], StaticEncoder.load(), clock=lambda: 0.0)
    assert (whole.n_test, len(whole.methods[1].rankings)) == (1, 2)
    none = replace(labelled, test=ToolUsage.of(labelled.test.queries, [(), ()]))
    blind = evaluate(none, ["bm25"], StaticEncoder.load(), clock=lambda: 0.0)
    assert blind.methods[1].metrics == {}
    assert blind.methods[1].rankings[1].tool_ids[0] == "c"


def test_a_label_outside_the_registry_counts_as_missed(labelled: LabelledRegistry) -> None:
    foreign = replace(labelled, test=ToolUsage.of(labelled.test.queries, [["w", "elsewhere"], ["c"]]))
    result = evaluate(foreign, ["bm25"], StaticEncoder.load(), clock=lambda: 0.0)
    assert result.methods[1].metrics["R@20"] == 0.75


def test_thinned_usage_gives_no_tool_more_than_its_share() -> None:
    usage = ToolUsage.of(["1", "2", "3", "4"], [["a"], ["a", "b"], ["a"], ["b"]])
    assert thin_usage(usage, 1) == ToolUsage.of(["1", "2"], [["a"], ["b"]])
    assert len(thin_usage(usage, 0)) == 0
    assert thin_usage(usage, 9) == usage


def test_usage_moves_usage_methods_and_leaves_descriptions_where_they_are(labelled: LabelledRegistry) -> None:
    curves = recall_by_usage(labelled, ["dense", "smoothed"], StaticEncoder.load(), most=(0, 2), k=1)
    assert [limit for limit, _ in curves["dense"]] == [0, 2]
    assert curves["dense"][0][1] == curves["dense"][1][1]
    assert curves["smoothed"][0][1] == curves["dense"][0][1]
    assert curves["smoothed"][1][1] >= curves["smoothed"][0][1]


def test_recall_against_usage_is_that_of_the_labelled_requests(labelled: LabelledRegistry) -> None:
    half = replace(labelled, test=ToolUsage.of(labelled.test.queries, [(), labelled.test.tool_ids[1]]))
    curves = recall_by_usage(half, ["dense"], StaticEncoder.load(), most=(0,), k=3)
    assert curves == {"dense": [(0, 1.0)]}  # three tools in all
    none = replace(labelled, test=ToolUsage.of(labelled.test.queries, [(), ()]))
    with pytest.raises(UndefinedMetricError, match="no test request is labelled"):
        recall_by_usage(none, ["dense"], StaticEncoder.load())


@pytest.mark.data
def test_the_default_beats_words_and_descriptions_alone_on_public_data() -> None:
    folder = Path(os.environ.get("PARETOGATE_DATA", "../shared/data")) / "tools" / "toolret_apibank"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there; set PARETOGATE_DATA")
    queries = folder / "queries.parquet"
    labelled = read_labelled(folder / "tools.parquet", queries, queries)
    result = evaluate(labelled, ["bm25", "best"], StaticEncoder.load(), clock=lambda: 0.0)
    by_name = {row.method: row.metrics["R@5"] for row in result.methods}
    assert by_name["best"] > max(by_name["bm25"], by_name["dense"]) + 0.1
