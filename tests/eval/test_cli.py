import json
import os
import re
from pathlib import Path

import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from eval.cli import replay
from predictors.cli import train
from tests.eval.journal.test_logged_decisions import decision, feedback, written

DATA = Path(os.environ.get("PARETOGATE_DATA", "../shared/data"))
app = typer.Typer()
app.command()(replay)


def run(*args: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, list(args))
    return done.exit_code, done.stdout, done.stderr


def warned(err: str) -> list[str]:
    """What was said beside the stages that are under way."""
    return [line for line in err.splitlines() if not line.endswith((" of 2", ": summing up"))]


def outcomes_file(folder: Path) -> Path:
    rows = [
        {"prompt": f"{kind} {i} of many", "model": model, "score": float(model in (kind, "sage")), "cost_usd": cost}
        for kind in ("maths", "poem")
        for i in range(30)
        for model, cost in (("maths", 0.001), ("poem", 0.001), ("sage", 0.01))
    ]
    path = folder / "mine.csv"
    pl.DataFrame(rows).write_csv(path)
    return path


def test_where_no_terminal_is_each_stage_is_told_in_a_line_and_json_stays_clean(tmp_path: Path) -> None:
    code, out, err = run(str(outcomes_file(tmp_path)), "--folds", "2", "--json")
    assert (code, len(json.loads(out))) == (0, 1)
    told = err.splitlines()
    assert told[:3] == [
        "mine: paretogate, fold 1 of 2",
        "mine: paretogate, fold 2 of 2",
        "mine: factorization, fold 1 of 2",
    ]
    assert told[-1] == "mine: summing up"
    assert len(told) == 5 * 2 + 1  # rivals, folds


def test_a_file_of_outcomes_is_replayed_and_reported_in_every_form(tmp_path: Path) -> None:
    report, page = tmp_path / "r.json", tmp_path / "r.html"
    code, out, _ = run(str(outcomes_file(tmp_path)), "--folds", "3", "--report", str(report), "--html", str(page))
    assert code == 0
    assert "mine: 60 prompts, 3 models, 3-fold by question" in out
    [found] = json.loads(report.read_text())
    assert found["best_single"] == "sage"
    assert found["curves"][0]["name"] == "paretogate"
    assert page.read_text().startswith("<!doctype html>")


def test_json_on_stdout_is_nothing_but_json(tmp_path: Path) -> None:
    code, out, _ = run(str(outcomes_file(tmp_path)), "--folds", "2", "--json")
    assert code == 0
    assert json.loads(out)[0]["n_prompts"] == 60


def test_a_saved_predictor_is_replayed_as_it_is(tmp_path: Path) -> None:
    code, out, err = run(str(outcomes_file(tmp_path)), "--folds", "2", "--predictor", "default", "--json")
    assert code == 0, err
    [found] = json.loads(out)
    assert found["split"] == "paretogate as it was saved, its rivals 2-fold by question"


@pytest.mark.parametrize(("policy", "facts"), [("fast", "latency"), ("small", "size"), ("green", "energy, size")])
def test_a_policy_that_goes_mainly_by_what_the_table_does_not_tell_is_refused(
    tmp_path: Path, policy: str, facts: str
) -> None:
    code, out, err = run(str(outcomes_file(tmp_path)), "--folds", "2", "--policy", "best", "--policy", policy)
    assert (code, out) == (1, "")
    assert f"policy '{policy}' goes by {facts}, which nothing tells of the models of mine; replay one" in err


def test_a_policy_that_goes_a_little_by_such_facts_is_replayed_without_and_says_so(tmp_path: Path) -> None:
    code, out, err = run(str(outcomes_file(tmp_path)), "--folds", "2", "--policy", "balanced", "--json")
    assert (code, json.loads(out)[0]["n_prompts"]) == (0, 60)
    assert "policy 'balanced' is replayed without latency, which nothing tells of these models" in err
    assert "without" not in run(str(outcomes_file(tmp_path)), "--folds", "2", "--policy", "cheap")[2]


def test_a_predictor_knows_how_slow_known_models_are(tmp_path: Path) -> None:
    table = pl.read_csv(outcomes_file(tmp_path))
    known = {"maths": "openai/gpt-4o-mini", "poem": "openai/gpt-4o", "sage": "anthropic/claude-sonnet-4"}
    table.with_columns(pl.col("model").replace(known)).write_csv(tmp_path / "known.csv")
    code, _, err = run(str(tmp_path / "known.csv"), "--folds", "2", "--policy", "fast", "--predictor", "default")
    assert code == 0, err
    assert "latency" not in err


def test_the_encoder_is_named_and_shown(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    code, out, err = run(str(outcomes_file(tmp_path)), "--folds", "2", "--encoder", "minilm", "--json")
    if code == 1 and "not installed" in err:
        pytest.skip(err)
    assert code == 0, err
    assert json.loads(out)[0]["split"] == "2-fold by question, prompts read by minilm"


def test_prompts_that_trained_the_predictor_do_not_judge_it(tmp_path: Path) -> None:
    mine, folder = outcomes_file(tmp_path), tmp_path / "saved"
    trained = typer.Typer()
    trained.command()(train)
    for share in ("0.5", "0"):
        done = CliRunner().invoke(trained, [str(mine), "--out", str(folder), "--hold-out", share])
        assert done.exit_code == 0, done.output
        code, out, err = run(str(mine), "--folds", "2", "--predictor", str(folder), "--json")
        if share == "0":
            assert code == 1
            assert "the predictor was trained on all of its 60 prompts" in err
        else:
            (told,) = re.findall(r"(\d+) of 60 prompts are left out, since the predictor was trained on them", err)
            assert json.loads(out)[0]["n_prompts"] == 60 - int(told) > 10


def test_a_predictor_that_is_not_there_is_named(tmp_path: Path) -> None:
    code, _, err = run(str(outcomes_file(tmp_path)), "--predictor", str(tmp_path / "none"))
    assert code == 1
    assert "paretogate train" in err


def test_an_unknown_name_lists_the_datasets() -> None:
    code, out, err = run("mmlu-pro")
    assert (code, out) == (1, "")
    assert "error: 'mmlu-pro' is neither a file nor a public dataset" in err
    assert "mmlu_pro" in err


def test_an_unknown_benchmark_fails_with_the_choices(tmp_path: Path) -> None:
    code, _, err = run(str(outcomes_file(tmp_path)), "--leave-out", "gsm8k")
    assert code == 1
    assert "one benchmark only" in err


def test_a_model_that_answered_the_left_out_benchmark_alone_is_no_candidate_for_it(tmp_path: Path) -> None:
    rows = [
        {"prompt": f"{word} {kind} {i}", "benchmark": kind, "model": model, "score": float(i % 2), "cost_usd": 0.1}
        for kind, models in (("maths", ("a", "b")), ("poem", ("a", "b", "poet")))
        for i, word in enumerate(("rose", "prime", "moon", "sum", "verse") * 6)
        for model in models
    ]
    pl.DataFrame(rows).write_csv(tmp_path / "mine.csv")
    code, out, err = run(str(tmp_path / "mine.csv"), "--leave-out", "poem", "--json")
    assert code == 0, err
    [found] = json.loads(out)
    assert (found["n_prompts"], found["n_models"]) == (30, 2)


def test_misuse_exits_with_two(tmp_path: Path) -> None:
    assert run()[0] == 2
    journal = written(tmp_path, decision("1", "a/large", 1.0))
    assert run(str(journal), str(outcomes_file(tmp_path)))[0] == 2


def test_a_journal_values_policies_and_says_where_it_cannot(tmp_path: Path) -> None:
    records = [decision("1", "a/large", 0.5), feedback("1", 1.0), decision("2", "a/large", 0.5), feedback("2", 0.5)]
    code, out, err = run(str(written(tmp_path, *records)), "--policy", "best", "--policy", "cheap", "--json")
    assert code == 0
    assert err.splitlines() == [f"journal.jsonl: {stage}" for stage in ("reading", "valuing best", "valuing cheap")]
    best, cheap = json.loads(out)
    assert (best["policy"], best["decisions"], best["snips"]) == ("best", 2, 0.75)
    assert best["gain_interval"]["lower"] <= best["worth"] - best["logged"] <= best["gain_interval"]["upper"]
    assert cheap["policy"] == "cheap"
    code, out, _ = run(str(tmp_path / "journal.jsonl"), "--policy", "best")
    assert code == 0
    assert "2 rewarded" in out


@pytest.mark.data
def test_routellm_is_replayed_with_pair_measures(tmp_path: Path) -> None:
    if not (DATA / "routing").exists():
        pytest.skip(f"no public data under {DATA}")
    rows = pl.read_parquet(DATA / "routing/routellm/outcomes.parquet").filter(pl.col("benchmark") == "gsm8k")
    slice_ = rows.filter(pl.col("prompt_id").is_in(rows["prompt_id"].unique().sort()[:400].to_list()))
    priced = slice_.with_columns(
        pl.when(pl.col("model") == "gpt-4-1106-preview").then(0.01).otherwise(0.001).alias("cost_usd")
    )
    priced.write_parquet(tmp_path / "slice.parquet")
    code, out, err = run(str(tmp_path / "slice.parquet"), "--folds", "2", "--json")
    assert code == 0, err
    [found] = json.loads(out)
    assert found["best_single"] == "gpt-4-1106-preview"
    by_name = {p["name"]: p for p in found["pairs"]}
    assert 0.4 < by_name["prompt_length"]["apgr"] < 0.8
    assert found["points"][0]["name"] == "random"


def test_where_nothing_can_be_written_is_told_before_anything_is_replayed(tmp_path: Path) -> None:
    code, out, err = run(str(outcomes_file(tmp_path)), "--html", str(tmp_path / "nowhere" / "r.html"))
    assert (code, out) == (2, "")
    assert "is no folder" in " ".join(err.replace("│", " ").split())


def test_what_cannot_be_written_in_the_end_costs_no_result(tmp_path: Path) -> None:
    code, out, err = run(str(outcomes_file(tmp_path)), "--folds", "2", "--report", str(tmp_path))
    assert code == 1
    assert "best single model: sage" in out
    assert "error: " in err
    assert str(tmp_path) in err


def test_options_that_a_journal_has_no_use_for_are_told(tmp_path: Path) -> None:
    path = written(tmp_path, decision("1", "a/large", 0.5), feedback("1", 1.0))
    code, _, err = run(str(path), "--html", str(tmp_path / "r.html"))
    assert code == 2
    assert "a journal is valued by the forecasts in it" in " ".join(err.replace("│", " ").split())


@pytest.mark.parametrize("free", [{"maths", "poem", "sage"}, {"sage"}])
def test_models_that_cost_nothing_are_replayed_too(tmp_path: Path, free: set[str]) -> None:
    table = pl.read_csv(outcomes_file(tmp_path))
    mine, svg = tmp_path / "free.csv", tmp_path / "free.svg"
    is_free = pl.col("model").is_in(list(free))
    table.with_columns(pl.when(is_free).then(0.0).otherwise("cost_usd").alias("cost_usd")).write_csv(mine)
    code, out, err = run(str(mine), "--folds", "2", "--json", "--svg", str(svg))
    assert (code, warned(err)) == (0, [])
    [found] = json.loads(out)
    shares = {point["name"]: point["cost_share"] for point in found["points"]}
    # all alike where all are free; no share of nothing where only the best single model, the sage, is
    assert (shares["best_single"], shares["random"]) == (1, 1 if len(free) == 3 else None)
    assert "nan" not in svg.read_text()


def test_models_that_are_never_right_are_replayed_too(tmp_path: Path) -> None:
    table, mine = pl.read_csv(outcomes_file(tmp_path)), tmp_path / "wrong.csv"
    table.with_columns(pl.lit(0.0).alias("score")).write_csv(mine)
    code, out, err = run(str(mine), "--folds", "2", "--json")
    assert (code, warned(err)) == (0, [])
    assert {point["cheapest_right"] for point in json.loads(out)[0]["points"]} == {None}


def test_a_model_that_was_hardly_tried_is_left_out_and_named(tmp_path: Path) -> None:
    mine = outcomes_file(tmp_path)
    with mine.open("a") as rows:
        rows.write("maths 0 of many,rare,1.0,0.001\n")
    code, out, err = run(str(mine), "--folds", "2")
    assert (code, warned(err)) == (0, [])
    assert "60 prompts, 3 models, 2-fold by question, without 1 models that cannot be learned so: rare" in out


def test_a_model_and_a_file_may_be_called_anything(tmp_path: Path) -> None:
    table, mine = pl.read_csv(outcomes_file(tmp_path)), tmp_path / "run [bold] :smile: 1.csv"
    named = {"maths": "maths [high]", "poem": "poem[/red]", "sage": "sage :smile:"}
    table.with_columns(pl.col("model").replace(named)).write_csv(mine)
    code, out, _ = run(str(mine), "--folds", "2")
    assert code == 0
    assert "run [bold] :smile: 1: 60 prompts, 3 models, 2-fold by question; best single model: sage :smile:" in out
    assert {name for name in named.values() if f"{name} 100%" in out} == {"sage :smile:", "maths [high]"}
