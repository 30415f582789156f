"""What the commands do where Redis keeps the journal, and what they say where they cannot."""

import json
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from gateway import cli
from gateway.commands.doctor import examine
from gateway.journal import JournalReader, RedisJournal
from gateway.journal_store.collector import Collector
from gateway.redis_keys import JournalKeys
from gateway.refinement import read_measured
from tests.end_to_end.conftest import environment
from tests.gateway.state.servers import RedisServer
from tests.waiting import AT_MOST_S

pytestmark = pytest.mark.loopback


@pytest.fixture(autouse=True)
def quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARETOGATE_STATE__DIR", str(tmp_path / "state"))
    monkeypatch.setenv("PARETOGATE_EMBEDDED__ENABLED", "off")
    monkeypatch.setenv("PARETOGATE_DISCOVERY__LOOPBACK", "false")
    monkeypatch.setenv("PARETOGATE_DISCOVERY__ENVIRONMENT_KEYS", "false")


@pytest.fixture
def configured(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> RedisServer:
    monkeypatch.setenv("PARETOGATE_JOURNAL__URL", redis_server.url)
    return redis_server


@pytest.fixture
def client(redis_server: RedisServer) -> Iterator[Redis]:
    with redis_server.client() as opened:
        yield opened


def answered(spool: Path, server: RedisServer, first: int, end: int) -> None:
    """Calls of a backend, as a replica journals them."""
    journal = RedisJournal(spool, server.url, drain_every_s=0.01)
    usage = {"input_tokens": 10, "output_tokens": 20}
    for number in range(first, end):
        decision = f"d{number}"
        candidates = [{"id": "openai/gpt-4o-mini", "backend": "b"}]
        journal.write("decision", {"decision_id": decision, "candidates": candidates, "query": {"tokens": 10}})
        outcome = {"decision_id": decision, "backend": "b", "status": "ok", "usage": usage, "latency_s": 1.5}
        journal.write("outcome", {**outcome, "ttft_s": 0.5})
    journal.close_now()


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = cli.main(argv)
    said = capsys.readouterr()
    return code, said.out, said.err


def test_collecting_brings_the_file_that_the_other_commands_read(
    configured: RedisServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answered(tmp_path / "spool", configured, 0, 3)
    file = tmp_path / "state" / "journal.sqlite3"
    assert run(capsys, "journal", "collect") == (0, "", f"6 records into {file}\n")
    code, said, _ = run(capsys, "journal", "status", "--json")
    assert (code, json.loads(said)["decisions"], json.loads(said)["uncollected"]) == (0, 3, 0)
    assert run(capsys, "journal", "export", "--out", str(tmp_path / "out.jsonl"))[0] == 0
    assert (tmp_path / "out.jsonl").stat().st_mode & 0o777 == 0o600  # it may hold prompts
    assert len((tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()) == 6


def test_an_address_and_a_file_may_be_said_where_nothing_is_configured(
    redis_server: RedisServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answered(tmp_path / "spool", redis_server, 0, 1)
    said = run(capsys, "journal", "collect", "--from", redis_server.url, "--to", str(tmp_path / "copy.db"), "--json")
    assert json.loads(said[1]) == {"path": str(tmp_path / "copy.db"), "records": 2}


def test_what_waits_in_redis_is_told_by_what_reads_the_file(
    configured: RedisServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "journal", "collect")
    answered(tmp_path / "spool", configured, 0, 2)
    assert f"4 records wait in {configured.url}; `paretogate journal collect`" in run(capsys, "journal", "status")[2]
    configured.kill()
    code, _, told = run(capsys, "journal", "status")
    assert code == 0
    assert "what waits in Redis is not known: cannot use the journal in Redis: ConnectionError" in told


@pytest.mark.parametrize("argv", [["journal", "status"], ["journal", "export"], ["promote", "PREDICTOR"]])
def test_nothing_collected_is_no_empty_journal(
    argv: list[str], configured: RedisServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = [str(shipped()) if word == "PREDICTOR" else word for word in argv]
    code, _, told = run(capsys, *argv)
    assert code == 1
    assert "nothing was collected into this file; run `paretogate journal collect`" in told


def shipped() -> Path:
    import predictors  # noqa: PLC0415

    return next(path.parent for path in Path(predictors.__file__).parent.rglob("manifest.json"))


def test_a_journal_in_a_file_is_not_collected(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, told = run(capsys, "journal", "collect")
    assert code == 1
    assert "journal.url: names no Redis to collect from; set it (PARETOGATE_JOURNAL__URL)" in told
    assert "a journal is kept in sqlite:///PATH, or in Redis" in run(capsys, "journal", "collect", "--from", "pl4nt")[2]


def test_a_redis_that_is_away_is_an_error_and_tells_no_password(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, told = run(capsys, "journal", "collect", "--from", "redis://:pl4nted@127.0.0.1:1/0")
    assert code == 1
    assert told.startswith("error: cannot use the journal in Redis: ConnectionError: ")
    assert "pl4nted" not in told


def test_a_group_is_one_files(configured: RedisServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "journal", "collect")
    other = ("journal", "collect", "--to", str(tmp_path / "other"))
    code, _, told = run(capsys, *other)
    assert (code, "fills another file" in told) == (1, True)
    assert run(capsys, *other, "--group", "copies")[0] == 0
    (tmp_path / "state" / "journal.sqlite3").unlink()
    assert run(capsys, "journal", "collect")[0] == 1
    assert run(capsys, "journal", "collect", "--take-over")[0] == 0


def test_refining_collects_first(
    configured: RedisServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], client: Redis
) -> None:
    answered(tmp_path / "spool", configured, 0, 30)
    code, _, told = run(capsys, "refine")
    assert (code, told.startswith("30 new outcomes")) == (0, True)
    assert read_measured(tmp_path / "state" / "measured.json")["b"].n_calls == 30
    assert client.xlen(JournalKeys().records) == 0


def test_refining_leaves_the_file_to_a_collector_that_fills_it(
    configured: RedisServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answered(tmp_path / "spool", configured, 0, 5)
    file = tmp_path / "state" / "journal.sqlite3"
    collector = Collector(configured.url, file, group="paretogate", consumer="another", clock=lambda: 0.0)
    collector.collect_all()
    answered(tmp_path / "spool", configured, 5, 9)
    assert run(capsys, "refine")[2].startswith("5 new outcomes")
    collector.close()
    assert run(capsys, "refine")[2].startswith("4 new outcomes")


def test_a_standby_waits_for_the_file_and_told_to_end_they_end(
    configured: RedisServer, tmp_path: Path, client: Redis
) -> None:
    environ = environment(tmp_path / "state", {"PARETOGATE_JOURNAL__URL": configured.url})
    command = [sys.executable, "-m", "gateway.cli", "journal", "collect", "--watch"]
    first, second = (subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, bufsize=0) for _ in range(2))
    watching = [first, second]
    try:
        assert [process.stderr.readline().startswith(b"collecting unix://") for process in watching] == [True, True]  # type: ignore[union-attr]
        assert first.stderr is not None
        assert second.stderr is not None
        waiting, _, _ = select.select([first.stderr, second.stderr], [], [], AT_MOST_S)
        told = waiting[0].readline()
        assert b"another process, such as `paretogate refine --watch`, collects into" in told
        assert b"(--to, --group)" in told
        standby, leader = (first, second) if waiting[0] is first.stderr else (second, first)
        leader.terminate()
        assert leader.wait(timeout=AT_MOST_S) == 0
        answered(tmp_path / "spool", configured, 0, 2)
        while client.xlen(JournalKeys().records):
            time.sleep(0.05)
        standby.terminate()
        assert standby.wait(timeout=AT_MOST_S) == 0
    finally:
        for process in watching:
            process.kill()
            process.communicate()
    with JournalReader(tmp_path / "state" / "journal.sqlite3") as reader:
        assert reader.counts()["outcomes"] == 2


def test_refining_told_to_end_ends_with_success(configured: RedisServer, tmp_path: Path) -> None:
    environ = environment(tmp_path / "state", {"PARETOGATE_JOURNAL__URL": configured.url})
    command = [sys.executable, "-m", "gateway.cli", "refine", "--watch"]
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, bufsize=0) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith(b"refining ")
        process.terminate()
        assert process.wait(timeout=AT_MOST_S) == 0


def stream_notes(tmp_path: Path, url: str) -> list[tuple[str, str, str]]:
    config = tmp_path / "paretogate.toml"
    lonely = '[discovery]\nloopback = false\nenvironment_keys = false\n[embedded]\nenabled = "off"\n'
    config.write_text(f'[state]\ndir = "{tmp_path}"\n[journal]\nurl = "{url}"\n{lonely}', encoding="utf-8")
    checks = examine(config=config, environ={}, offline=False)
    return [(c.verdict, c.detail, c.remedy or "") for c in checks if c.subject == "journal stream"]


def test_the_doctor_tells_what_waits_and_what_would_be_lost(
    redis_server: RedisServer, tmp_path: Path, client: Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    client.config_set("maxmemory-policy", "allkeys-lru")
    answered(tmp_path / "spool", redis_server, 0, 2)
    first, *notes = stream_notes(tmp_path, redis_server.url)
    assert first[0] == "ok"
    assert re.search(r"; 4 of 1,000,000 records wait, the oldest for \d+ s; groups: none$", first[1])
    assert [(verdict, detail) for verdict, detail, _ in notes] == [
        ("note", "nobody collects"),
        ("note", "when its memory is full, this Redis deletes records (maxmemory-policy)"),
        ("note", "a restart of this Redis loses records that nobody has collected (appendonly no)"),
    ]
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("appendonly", "yes")
    run(capsys, "journal", "collect", "--from", redis_server.url)
    ((verdict, told, _),) = stream_notes(tmp_path, redis_server.url)
    assert verdict == "ok"
    assert "0 of 1,000,000 records wait; groups: paretogate (consumers: 1, not acknowledged: 0)" in told
    assert ", keys paretogate:*; " in told


def test_another_installations_records_are_collected_by_its_namespace(
    configured: RedisServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = RedisJournal(tmp_path / "spool", configured.url, drain_every_s=0.01, namespace="team-b")
    journal.write("decision", {"decision_id": "d", "candidates": [], "query": {"tokens": 10}})
    journal.close_now()
    file = tmp_path / "state" / "journal.sqlite3"
    assert run(capsys, "journal", "collect") == (0, "", f"0 records into {file}\n")
    other = tmp_path / "other.sqlite3"
    asked = ("journal", "collect", "--namespace", "team-b", "--to", str(other))
    assert run(capsys, *asked) == (0, "", f"1 records into {other}\n")
    code, _, said = run(capsys, "journal", "collect", "--namespace", "team {b}")
    assert (code, "state.namespace" in said) == (1, True)


def test_the_doctor_notes_a_collector_that_is_down(redis_server: RedisServer, tmp_path: Path, client: Redis) -> None:
    client.xadd(JournalKeys().records, {"line": "x"}, id="1-1")
    client.xgroup_create(JournalKeys().records, "paretogate", id="0")
    client.config_set("appendonly", "yes")
    (ok, _, _), (verdict, told, remedy) = stream_notes(tmp_path, redis_server.url)
    assert (ok, verdict) == ("ok", "note")
    assert "a group's collector is down" in told
    assert "XGROUP DESTROY" in remedy


def test_the_doctor_tells_of_a_redis_that_is_away_or_locked_and_no_password(
    redis_server: RedisServer, tmp_path: Path, client: Redis
) -> None:
    client.config_set("requirepass", "another")
    ((verdict, told, remedy),) = stream_notes(tmp_path, f"{redis_server.url}?password=pl4nted")
    assert (verdict, "invalid username-password" in told) == ("note", True)
    assert "records wait in each replica's spool" in remedy
    assert "pl4nted" not in told + remedy
    redis_server.kill()
    ((verdict, told, _),) = stream_notes(tmp_path, f"{redis_server.url}?password=pl4nted")
    assert (verdict, "pl4nted" in told) == ("note", False)
