import json
from pathlib import Path

import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from eval.policy.cli import diff_policy
from tests.eval.journal.test_logged_decisions import decision, written

app = typer.Typer()
app.command()(diff_policy)


def run(*args: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, list(args))
    return done.exit_code, done.stdout, done.stderr


def told(*args: str) -> dict[str, object]:
    code, out, err = run(*args, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert isinstance(found, dict)
    return found


def priced_file(folder: Path) -> Path:
    """Two models: one right everywhere and dear, the other right on every second prompt and cheap."""
    rows = [
        {"prompt": f"{i} of many", "benchmark": "b", "model": model, "score": score, "cost_usd": cost}
        for i in range(40)
        for model, score, cost in (("sage", 1.0, 0.1), ("novice", float(i % 2), 0.0001))
    ]
    path = folder / "priced.csv"
    pl.DataFrame(rows).write_csv(path)
    return path


def test_outcomes_tell_what_a_cheaper_policy_saves_and_what_it_breaks(tmp_path: Path) -> None:
    config = tmp_path / "paretogate.toml"
    config.write_text("[policies.thrifty]\ncost_quality_tradeoff = 10\n")
    found = told("best", "thrifty", "--corpus", str(priced_file(tmp_path)), "--config", str(config), "--folds", "2")
    assert found["n"] == 40
    assert found["changed"] == 1.0
    assert found["moves"] == [{"old": "sage", "new": "novice", "n": 40}]
    flips = found["flips"]
    assert isinstance(flips, list)
    assert flips[0]["negative"] == 0.5
    assert found["cost_usd"]["new"] == pytest.approx(0.0001)  # type: ignore[index] - JSON


def test_what_was_assumed_of_the_outcomes_is_told(tmp_path: Path) -> None:
    path = priced_file(tmp_path)
    pl.read_csv(path).rename({"cost_usd": "cost"}).write_csv(path)
    code, _, err = run("best", "cheap", "--corpus", str(path), "--folds", "2")
    assert code == 0
    assert "note: column 'cost' is not read; if cost_usd is meant, call it so; no two models have a known cost" in err


def test_a_change_that_breaks_more_than_is_allowed_fails(tmp_path: Path) -> None:
    corpus = str(priced_file(tmp_path))
    config = tmp_path / "paretogate.toml"
    config.write_text("[policies.thrifty]\ncost_quality_tradeoff = 10\n")
    args = ("best", "thrifty", "--corpus", corpus, "--config", str(config), "--folds", "2")
    code, out, err = run(*args, "--max-nfr", "0.2")
    assert code == 1
    assert "best -> thrifty: 100.0% of 40 decisions change" in out
    assert "refused: 50.0% of prompts turned from right to wrong, at most 20.0% may" in err
    assert run(*args, "--max-nfr", "0.6")[0] == 0


def test_where_no_bar_can_be_drawn_each_stage_is_told_as_it_begins(tmp_path: Path) -> None:
    _, _, err = run("best", "cheap", "--corpus", str(priced_file(tmp_path)), "--folds", "2")
    assert err.splitlines() == ["priced.csv: reading", "priced.csv: fold 1 of 2", "priced.csv: fold 2 of 2"]
    journal = written(tmp_path, *(decision(f"d{i}", "a/large", 0.98) for i in range(3)))
    _, _, err = run("best", "cheap", "--corpus", str(journal))
    assert err.splitlines() == [f"{journal.name}: reading", f"{journal.name}: deciding"]


def test_bare_prompts_are_routed_over_the_catalog(tmp_path: Path) -> None:
    corpus = tmp_path / "prompts.jsonl"
    corpus.write_text('{"prompt": "Prove that the square root of 2 is irrational."}\n{"prompt": "Say hello."}\n')
    found = told("best", "cheap", "--corpus", str(corpus), "--pool", "openai/gpt-4o*", "--pool", "openai/gpt-5*")
    assert found["n"] == 2
    assert found["flips"] == []
    assert found["predicted_cost_usd"]["new"] < found["predicted_cost_usd"]["old"]  # type: ignore[index] - JSON


def test_a_journal_is_decided_again_by_its_own_forecasts(tmp_path: Path) -> None:
    journal = written(tmp_path, *(decision(f"d{i}", "a/large", 0.98) for i in range(3)))
    found = told("best", "cheap", "--corpus", str(journal))
    assert found["n"] == 3
    code, _, err = run("best@default", "cheap", "--corpus", str(journal))
    assert code == 1
    assert "without @PREDICTOR" in err


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (("best", "nope", "--corpus", "zeroeval"), "no policy is called 'nope'"),
        (("best", "cheap", "--corpus", "nowhere.csv"), "neither a file nor a public dataset"),
    ],
)
def test_what_is_not_there_is_named(args: tuple[str, ...], problem: str) -> None:
    code, _, err = run(*args)
    assert code == 1
    assert problem in err


def test_a_gate_without_scores_is_refused(tmp_path: Path) -> None:
    corpus = tmp_path / "prompts.csv"
    corpus.write_text("prompt\nhello there\n")
    code, _, err = run("best", "cheap", "--corpus", str(corpus), "--pool", "openai/gpt-4o*", "--max-nfr", "0.1")
    assert code == 1
    assert "needs a corpus with scores" in err
