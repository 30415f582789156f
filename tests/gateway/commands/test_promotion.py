"""What the command line says and leaves behind; that a judge judges rightly is tested where it lives."""

import json
import shutil
from collections.abc import Callable
from functools import partial
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.commands import promotion
from predictors.trained_questions import TrainedQuestions
from predictors.versions import PredictorVersions
from router.promotion import Verdict
from tests.gateway.promotion.replicas import SHIPPED, Replica, open_encoder_once, variant
from tests.gateway.state.servers import RedisServer

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
    assert f"version 1 decides, where {state} is the state directory, since journal.url names no Redis" in said.err
    versions = PredictorVersions(state / "predictors")
    assert versions.all()[0].verdict["evidence"] == "seen"

    assert main(["rollback", "--list", "--json"]) == 0
    assert [row["in_force"] for row in json.loads(capsys.readouterr().out)] == [True]
    assert main(["rollback", "--list"]) == 0
    assert "0.8000" in capsys.readouterr().out
    assert main(["rollback"]) == 0
    assert "the predictor that ships decides" in capsys.readouterr().out
    assert versions.deciding() is None


def test_the_list_is_shown_whatever_a_verdict_holds(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    versions = PredictorVersions(state / "predictors")
    for verdict in ({"evidence": "[/]mine[0].csv", "score": 3}, {"score": {"old": "?", "new": 0.5}}):
        versions.promote(SHIPPED, verdict)
    assert main(["rollback", "--list"]) == 0
    said = capsys.readouterr().out
    assert "[/]mine[0].csv" in said
    assert "0.5000" in said


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


@pytest.fixture
def shared(state: Path, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> RedisServer:
    """The state directory is one of several that share a journal."""
    monkeypatch.setattr("predictors.forecaster.open_encoder", open_encoder_once)
    monkeypatch.setenv("PARETOGATE_JOURNAL__URL", f"{redis_server.url}?client_name=zanzibar7391")
    return redis_server


@pytest.mark.loopback
def test_with_a_journal_in_redis_it_decides_in_every_replica_and_is_taken_back_in_all(
    state: Path,
    shared: RedisServer,
    challenger: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = judged(monkeypatch)
    other = Replica(tmp_path / "other", shared.url)
    other.promote(variant(tmp_path, "first"))
    assert main(["promote", challenger, "--json"]) == 0
    assert asked[0][0] == state / "predictors" / "0001"  # compared with what decides for all, which was not here yet
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert (told["version"], told["shared"], told["why_not_shared"]) == (2, True, None)
    assert f"version 2 decides, in every replica that writes to the journal in {shared.url};" in said.err
    assert "zanzibar7391" not in said.err
    assert other.shared.take_up()
    assert other.versions.in_force() == PredictorVersions(state / "predictors").in_force() == (1, 2)
    assert other.versions.all()[1].verdict["evidence"] == "seen"

    assert main(["rollback", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"version": 1, "shared": True, "why_not_shared": None}
    assert other.shared.take_up()
    assert other.versions.in_force() == (1,)
    assert main(["rollback", "--to", "0"]) == 0
    assert "the predictor that ships decides, in every replica" in capsys.readouterr().out


@pytest.mark.loopback
def test_the_list_is_of_what_is_in_force_for_all_under_their_numbers(
    state: Path, shared: RedisServer, challenger: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    PredictorVersions(state / "predictors").promote(Path(challenger), {})
    Replica(tmp_path / "other", shared.url).promote(variant(tmp_path, "first"))
    assert main(["rollback", "--list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["version"], row["shared_as"], row["in_force"]) for row in rows] == [(1, None, False), (2, 1, True)]
    assert main(["rollback", "--list"]) == 0
    assert "for all replicas" in capsys.readouterr().out
    shared.kill()
    assert main(["rollback", "--list"]) == 0
    said = capsys.readouterr()
    assert "does not have what is in force for all" in said.err
    assert "for all replicas" in said.out


@pytest.mark.loopback
def test_where_redis_is_away_nothing_is_promoted_but_here_alone(
    state: Path,
    shared: RedisServer,
    challenger: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    judged(monkeypatch)
    shared.kill()
    for command in (["promote", challenger], ["rollback"]):
        assert main(command) == 1
        said = capsys.readouterr().err
        assert "replicas were not told: ConnectionError" in said
        assert "--here" in said
    versions = PredictorVersions(state / "predictors")
    assert versions.all() == ()
    assert main(["promote", challenger, "--here", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["version"], told["shared"], told["why_not_shared"]) == (1, False, "--here says so")
    assert versions.in_force() == (1,)
    assert main(["rollback", "--here"]) == 0
    assert versions.in_force() == ()


@pytest.mark.loopback
def test_what_is_too_large_to_share_is_told_before_anything_is_judged(
    shared: RedisServer, challenger: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = judged(monkeypatch)
    monkeypatch.setattr("predictors.parcel.MOST_PARCEL_BYTES", 1_000)
    assert main(["promote", challenger]) == 1
    said = capsys.readouterr().err
    assert "at most 1,000" in said
    assert "--here" in said
    assert not asked
    with shared.client() as client:
        assert client.keys() == []


@pytest.mark.loopback
def test_what_cannot_be_kept_here_is_shared_all_the_same_and_told(
    state: Path,
    shared: RedisServer,
    challenger: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    judged(monkeypatch)
    (state / "predictors" / ".lock").mkdir(parents=True)  # nothing can be written there
    assert main(["promote", challenger]) == 0
    said = capsys.readouterr().err
    assert f"warning: {state / 'predictors'} does not have what is in force for all" in said
    assert "version 1 decides" in said
    assert Replica(tmp_path / "other", shared.url).shared.take_up()


def judged_while(
    monkeypatch: pytest.MonkeyPatch, *meanwhile: Callable[[], object], worse_than_the_last: bool = False
) -> list[object]:
    """A judge during whose first, second, ... work something else happens; the champions that it is given."""
    champions: list[object] = []

    def judge(champion: object, *_: object, **__: object) -> Verdict:
        champions.append(champion)
        if len(champions) <= len(meanwhile):
            meanwhile[len(champions) - 1]()
            return Verdict(objections=(), facts=FACTS)
        return Verdict(objections=("it is worse",) if worse_than_the_last else (), facts=FACTS)

    monkeypatch.setattr(promotion, "_judge", lambda: judge)
    return champions


@pytest.mark.parametrize("worse", [False, True])
def test_what_another_command_puts_in_force_meanwhile_is_what_it_is_compared_with_then(
    state: Path,
    challenger: str,
    tmp_path: Path,
    worse: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    versions, first = PredictorVersions(state / "predictors"), variant(tmp_path, "first")
    champions = judged_while(monkeypatch, lambda: versions.promote(first, {}), worse_than_the_last=worse)
    assert main(["promote", challenger]) == int(worse)
    assert champions == [None, state / "predictors" / "0001"]
    assert versions.in_force() == ((1,) if worse else (1, 2))
    said = capsys.readouterr().err
    assert "version 1 was put in force meanwhile; comparing with that" in said
    assert ("refused: it is worse" in said) is worse


@pytest.mark.loopback
def test_so_it_is_where_all_replicas_follow(
    state: Path,
    shared: RedisServer,
    challenger: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other, first = Replica(tmp_path / "other", shared.url), variant(tmp_path, "first")
    champions = judged_while(monkeypatch, lambda: other.promote(first), other.shared.roll_back)
    assert main(["promote", challenger]) == 0
    assert champions == [None, state / "predictors" / "0001", None]
    order = other.shared.order()
    assert order is not None
    assert [version.number for version in order.in_force] == [2]
    said = capsys.readouterr().err
    assert "version 1 was put in force meanwhile" in said
    assert "the predictor that ships was put in force meanwhile" in said


@pytest.mark.loopback
@pytest.mark.parametrize("here", [[], ["--here"]])
def test_where_others_are_faster_every_time_it_is_refused_with_the_remedy(
    state: Path,
    shared: RedisServer,
    challenger: str,
    here: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other, own = Replica(tmp_path / "other", shared.url), PredictorVersions(state / "predictors")
    put = (lambda made: own.promote(made, {})) if here else other.promote
    champions = judged_while(monkeypatch, *(partial(put, variant(tmp_path, str(i))) for i in range(3)))
    assert main(["promote", challenger, *here]) == 1
    assert len(champions) == 3
    said = capsys.readouterr().err
    assert "error: version 3 decides by now" in said
    assert "run `paretogate promote` again" in said
    assert own.in_force()[-1] == (3 if here else 2)  # what it was compared with last, where all are followed
