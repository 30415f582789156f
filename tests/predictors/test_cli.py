"""`paretogate train`: one command from a file of outcomes to a predictor."""

import json
from pathlib import Path

import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from predictors.cli import train
from predictors.quality import QualityModel

app = typer.Typer()
app.command()(train)


@pytest.fixture
def outcomes(tmp_path: Path) -> Path:
    """Sixty questions; the first model answers sums, the second the rest; nobody's catalog knows either."""
    rows = [
        {"prompt": f"What is {i} + {i}?" if i % 2 else f"Write verse {i} about the sea", "model": name, "score": score}
        for i in range(60)
        for name, score in (("in house/sums", float(i % 2)), ("in house/verse", float(1 - i % 2)))
    ]
    pl.DataFrame(rows).write_csv(tmp_path / "mine.csv")
    return tmp_path / "mine.csv"


def test_ones_own_outcomes_become_a_predictor_that_loads(outcomes: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, [str(outcomes), "--out", str(tmp_path / "mine"), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["n_outcomes"] == 120
    model = QualityModel.load(tmp_path / "mine")
    assert model.models == ("unlisted/in-house-sums", "unlisted/in-house-verse")
    assert model.features_name == json.loads(done.stdout)["features"]


def test_a_bad_table_is_exit_code_1_and_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("prompt,model,score\nhello,a,7\n")
    done = CliRunner().invoke(app, [str(tmp_path / "bad.csv"), "--out", str(tmp_path / "x")])
    assert done.exit_code == 1
    assert "column 'score', row 1: 7.0 is outside 0 to 1" in done.stderr
    assert not (tmp_path / "x").exists()


def test_too_few_prompts_are_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("prompt,model,score\nhello,a,1\n")
    done = CliRunner().invoke(app, [str(tmp_path / "one.csv"), "--out", str(tmp_path / "x")])
    assert done.exit_code == 1
    assert "too few" in done.stderr


def test_without_out_it_is_misuse(outcomes: Path) -> None:
    assert CliRunner().invoke(app, [str(outcomes)]).exit_code == 2


def test_absent_public_data_are_named(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["--out", str(tmp_path / "x"), "--data", str(tmp_path)])
    assert done.exit_code == 1
    assert "no such file or folder" in done.stderr
