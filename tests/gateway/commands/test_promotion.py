"""What the command line says and leaves behind; that a judge judges rightly is tested where it lives."""

import json
import shutil
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.commands import promotion
from predictors.trained_questions import TrainedQuestions
from predictors.versions import PredictorVersions
from router.promotion import Verdict

SHIPPED = Path(__file__).parents[3] / "predictors" / "data" / "default"
FACTS = {
    "n": 300,
    "left_out": 4,
    "changed": 0.25,
    "score": {"old": 0.7, "new": 0.8, "difference": {"lower": 0.05, "upper": 0.15}},
    "cost_usd": None,
    "flips": (),
    "evidence": "seen",
}


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARETOGATE_STATE__DIR", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "journal.sqlite3").touch()
    return tmp_path / "state"


@pytest.fixture
def challenger(tmp_path: Path) -> str:
    folder = tmp_path / "challenger"
    shutil.copytree(SHIPPED, folder)
    TrainedQuestions.of(["a"]).save(folder)
    return str(folder)


def judged(monkeypatch: pytest.MonkeyPatch, *objections: str) -> list[tuple[object, ...]]:
    """Puts a judge in the place of the installed one, and tells what it is asked."""
    asked: list[tuple[object, ...]] = []

    def judge(*what: object, **how: object) -> Verdict:
        asked.append((*what, how))
        return Verdict(objections=objections, facts=FACTS)

    monkeypatch.setattr(promotion, "_judge", lambda: judge)
    return asked


def test_what_passes_decides_and_is_taken_back(
    state: Path, challenger: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = judged(monkeypatch)
    assert main(["promote", challenger, "--margin", "0.02"]) == 0
    (champion, folder, evidence, how) = asked[0]
    assert (champion, folder, evidence) == (None, Path(challenger), str(state / "journal.sqlite3"))
    assert how["rules"].margin == 0.02  # type: ignore[index] # a dict
    said = capsys.readouterr()
    assert "0.05 to +0.15" in said.out
    assert "version 1 decides" in said.err
    versions = PredictorVersions(state / "predictors")
    assert versions.all()[0].verdict["evidence"] == "seen"

    assert main(["rollback", "--list", "--json"]) == 0
    assert [row["in_force"] for row in json.loads(capsys.readouterr().out)] == [True]
    assert main(["rollback", "--list"]) == 0
    assert "0.8000" in capsys.readouterr().out
    assert main(["rollback"]) == 0
    assert "the predictor that ships decides" in capsys.readouterr().out
    assert versions.deciding() is None


def test_what_is_refused_changes_nothing_and_says_why(
    state: Path, challenger: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    judged(monkeypatch, "it is worse")
    assert main(["promote", challenger, "--json"]) == 1
    said = capsys.readouterr()
    assert json.loads(said.out)["objections"] == ["it is worse"]
    assert "refused: it is worse" in said.err
    assert not (state / "predictors").exists()


def test_a_dry_run_changes_nothing(
    state: Path, challenger: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    judged(monkeypatch)
    assert main(["promote", challenger, "--dry-run"]) == 0
    assert "it may be promoted" in capsys.readouterr().err
    assert not (state / "predictors").exists()


def test_an_operators_own_predictor_is_not_silently_overruled(
    state: Path, challenger: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PARETOGATE_PREDICTOR__PATH", str(SHIPPED))
    for command in (["promote", challenger], ["rollback"]):
        assert main(command) == 1
        assert "predictor.path" in capsys.readouterr().err
    assert not (state / "predictors").exists()


def test_a_damaged_predictor_is_told_before_anything_is_judged(
    state: Path, challenger: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = judged(monkeypatch)
    (Path(challenger) / "arrays.npz").write_bytes(b"damaged")
    assert main(["promote", challenger]) == 1
    assert "does not match the digest" in capsys.readouterr().err
    assert not asked
    assert not (state / "predictors").exists()


def test_an_installation_without_a_judge_says_so(
    state: Path, challenger: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def none(**_: str) -> list[EntryPoint]:
        return []

    monkeypatch.setattr(promotion, "entry_points", none)
    assert main(["promote", challenger]) == 1
    assert "no judge of predictors is installed" in capsys.readouterr().err
    assert not (state / "predictors").exists()


def test_without_a_journal_evidence_is_asked_for(
    state: Path, challenger: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = judged(monkeypatch)
    (state / "journal.sqlite3").unlink()
    assert main(["promote", challenger]) == 1
    assert "--on" in capsys.readouterr().err
    assert main(["promote", challenger, "--on", "mine.csv", "--dry-run"]) == 0
    assert asked[0][2] == "mine.csv"
