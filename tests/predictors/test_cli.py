"""`paretogate train`: one command from a file of outcomes to a predictor."""

import errno
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from catalog import ModelProfile, Pool, PoolEntry
from predictors import BadArtefactError, EncoderUnavailableError, Forecaster, Query
from predictors.cli import train
from predictors.outcomes import Outcomes
from predictors.parcel import Parcel
from predictors.quality import QualityModel
from predictors.trained_questions import TrainedQuestions

app = typer.Typer()
app.command()(train)


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The shipped model is made in another, for its arithmetic (`test_arithmetic.py`)."""
    monkeypatch.setattr("predictors.cli.settings_of_common_arithmetic", lambda _environ: {})


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
    assert done.stderr.splitlines() == [  # each as it begins, where no terminal is
        "reading outcomes",
        "reading lengths and costs",
        "reading prompts",
        "judging on held-out prompts",
        "fitting on all prompts",
    ]
    model = QualityModel.load(tmp_path / "mine")
    assert model.models == ("unlisted/in-house-sums", "unlisted/in-house-verse")
    assert model.features_name == json.loads(done.stdout)["features"]
    written = {path.relative_to(tmp_path / "mine").as_posix() for path in (tmp_path / "mine").rglob("*.*")}
    assert "questions.npy" in written
    assert set(Parcel.of(tmp_path / "mine").files) == written  # else replicas would lack the rest


class Letters(BaseHTTPRequestHandler):
    """An embeddings endpoint that counts letters."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        found = [[1.0 + text.count(letter) for letter in "aeiou"] for text in asked["input"]]
        answer = json.dumps({"data": [{"index": i, "embedding": vector} for i, vector in enumerate(found)]}).encode()
        self.send_response(200 if self.headers["authorization"] == "Bearer let-me-in" else 401)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def endpoint() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Letters) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"vowels@http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()


@pytest.mark.parametrize("trained_before", [False, True])
def test_what_was_broken_off_while_it_was_written_is_no_predictor(
    outcomes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, trained_before: bool
) -> None:
    """It was one that does not know which questions it was trained on."""
    command = [str(outcomes), "--out", str(tmp_path / "mine")]
    if trained_before:
        assert CliRunner().invoke(app, command).exit_code == 0

    def on_a_full_disk(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(TrainedQuestions, "save", on_a_full_disk)
        done = CliRunner().invoke(app, command)
    assert (done.exit_code, "No space left" in done.stderr) == (1, True)
    with pytest.raises(BadArtefactError, match=r"manifest\.json cannot be read"):
        Forecaster.load(tmp_path / "mine")
    assert CliRunner().invoke(app, command).exit_code == 0
    Forecaster.load(tmp_path / "mine")


@pytest.mark.loopback
def test_prompts_are_read_by_the_encoder_that_was_named_in_training_and_in_serving(
    outcomes: Path, tmp_path: Path, endpoint: str
) -> None:
    said = [str(outcomes), "--out", str(tmp_path / "mine"), "--encoder", endpoint, "--json"]
    done = CliRunner().invoke(app, said, env={"PARETOGATE_ENCODER_KEY": "let-me-in"})
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["encoder"] == endpoint
    forecaster = Forecaster.load(tmp_path / "mine", encoder_key="let-me-in")
    assert forecaster.features.encoding_dim == 5
    pool = Pool([PoolEntry(profile=ModelProfile(id="unlisted/in-house-sums", name="in house/sums"))])
    forecast = forecaster.bind(pool).forecast(Query.from_prompt("What is 7 + 7?"))
    assert forecast.quality.shape == forecast.output_tokens.shape == (1,)  # lengths are read by the static one
    with pytest.raises(EncoderUnavailableError, match="401"):
        Forecaster.load(tmp_path / "mine")


def test_an_encoder_that_is_not_there_is_exit_code_1_and_a_sentence(outcomes: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, [str(outcomes), "--out", str(tmp_path / "x"), "--encoder", " "])
    assert done.exit_code == 1
    assert "an encoder needs a name: static" in done.stderr


def test_what_was_made_from_other_data_is_told_from_the_shipped_model_file_by_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcomes: Path
) -> None:
    monkeypatch.setattr("predictors.recipe.shipped_outcomes", lambda _data: Outcomes.read([outcomes]))
    done = CliRunner().invoke(app, ["--check", "--data", str(tmp_path)])
    assert done.exit_code == 1
    assert done.stdout.splitlines() == ["arrays.npz: DIFFERS", "manifest.json: DIFFERS"]
    assert CliRunner().invoke(app, [str(outcomes), "--check"]).exit_code == 2


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_every_kind_of_file_makes_the_same_model(outcomes: Path, tmp_path: Path, kind: str) -> None:
    table, path = pl.read_csv(outcomes), tmp_path / "again" / f"mine.{kind}"
    path.parent.mkdir()
    write = {"csv": table.write_csv, "jsonl": table.write_ndjson, "parquet": table.write_parquet}
    write[kind](path)
    for source, name in ((outcomes, "first"), (path, "second")):
        done = CliRunner().invoke(app, [str(source), "--out", str(tmp_path / name)])
        assert done.exit_code == 0, done.output
    assert (tmp_path / "first" / "arrays.npz").read_bytes() == (tmp_path / "second" / "arrays.npz").read_bytes()


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


def test_a_file_in_the_place_of_the_folder_is_misuse(outcomes: Path) -> None:
    done = CliRunner().invoke(app, [str(outcomes), "--out", str(outcomes)])
    assert done.exit_code == 2
    assert "is a file" in " ".join(done.stderr.replace("│", " ").split())


def test_absent_public_data_are_named(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["--out", str(tmp_path / "x"), "--data", str(tmp_path)])
    assert done.exit_code == 1
    assert "no such file or folder" in done.stderr
