import json
from io import StringIO
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from eval.contenders.contender import LearnedContender
from eval.contenders.learners import TfidfRidge
from eval.outcomes.folds import Folds
from eval.replay.operating_points import operating_points
from eval.replay.replay import Replay, replay
from eval.replay.report import Outputs, html_page, json_report, terminal_report, write_outputs
from eval.replay.summary import Summary, summarise
from tests.eval.tables import specialists

from .test_replay import Lengths


@pytest.fixture(scope="module")
def result() -> tuple[Replay, Summary]:
    table = specialists(20)
    contender = LearnedContender(learner=TfidfRidge(alpha=1.0), features=Lengths())
    folds = Folds.by_group(table, n_folds=2, seed=0)
    replayed = replay(table, [contender], folds, points=operating_points(("best",), knob=(0.0, 10.0)), split="2-fold")
    return replayed, summarise(replayed, n_resamples=50)


def test_the_terminal_shows_ours_beside_the_references(result: tuple[Replay, Summary]) -> None:
    out = StringIO()
    Console(file=out, width=200).print(terminal_report(result[1]))
    for name in (
        "tfidf_ridge/sweep",
        "tfidf_ridge/best",
        "random",
        "best_single",
        "oracle",
        "mixture_of_single_models",
    ):
        assert name in out.getvalue()


def test_the_json_report_holds_no_number_that_json_lacks(result: tuple[Replay, Summary]) -> None:
    text = json.dumps(json_report(result[1]), allow_nan=False)
    assert json.loads(text)["best_single"] == "sage"


def test_the_page_needs_nothing_from_elsewhere(result: tuple[Replay, Summary]) -> None:
    page = html_page([result[1]])
    assert "<svg" in page
    assert "<script" not in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    assert len(page) < 60_000


def test_every_file_asked_for_is_written(result: tuple[Replay, Summary], tmp_path: Path) -> None:
    outputs = Outputs(
        decisions=tmp_path / "d.parquet", html=tmp_path / "r.html", svg=tmp_path / "r.svg", report=tmp_path / "r.json"
    )
    write_outputs([result], outputs)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["d.parquet", "r.html", "r.json", "r.svg"]


def test_decisions_have_a_row_per_prompt_and_operating_point(result: tuple[Replay, Summary], tmp_path: Path) -> None:
    write_outputs([result], Outputs(decisions=tmp_path / "d.parquet"))
    decisions = pl.read_parquet(tmp_path / "d.parquet")
    ours = decisions.filter(pl.col("policy") == "tfidf_ridge/sweep")
    assert ours.height == 2 * 40
    assert set(ours["point"]) == {0.0, 10.0}
    assert {"prompt_id", "policy", "point", "model", "propensity", "predicted_quality", "predicted_quality_se"} < set(
        decisions.columns
    )
    assert ours["predicted_cost_usd"].null_count() == 0
    assert decisions.filter(pl.col("policy") == "oracle")["predicted_quality"].null_count() == 40
