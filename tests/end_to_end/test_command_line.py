"""Commands as a user runs them, each in a process of its own."""

import json
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.waiting import AT_MOST_S, wait_until

from .conftest import AS_ANYBODY, Gateway, StartGateway, environment, paretogate


def test_a_decision_needs_no_server_and_no_backend(tmp_path: Path) -> None:
    done = paretogate("route", "What is the capital of France?", "--pool", "all", "--json", state=tmp_path)
    assert done.returncode == 0, done.stderr
    decision = json.loads(done.stdout)
    assert decision["chosen"] in decision["front"]


def test_a_table_says_which_models_cannot_be_called_here(tmp_path: Path) -> None:
    done = paretogate("route", "Prove that 2 is prime.", "--pool", "openai/*", "-p", "best", state=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("openai/")
    assert "no backend here" in done.stderr


def test_explain_shows_why_others_were_rejected(tmp_path: Path) -> None:
    asked = ("explain", "Hello", "--pool", "all", "-r", "max_params_b=10", "--json")
    done = paretogate(*asked, state=tmp_path)
    assert done.returncode == 0, done.stderr
    reasons = {r["constraint"] for c in json.loads(done.stdout)["candidates"] for r in c["rejected_by"]}
    assert "max_params_b" in reasons


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("route", "Hello", "--pool", "all", "-r", "max_colour=3"), 1, "--require.max_colour: unknown"),
        (("route", "Hello", "--pool", "all", "-r", "max_params_b=0.0001"), 1, "no model satisfies"),
        (("route", "Hello", "--pool", "all", "-p", "frugal"), 1, "frugal"),
        (("route", "Hello", "--pool", "no-such-owner/*"), 1, "matches no model"),
        (("route",), 2, "Usage"),
        (("serve", "--config", "absent.toml"), 1, "cannot read absent.toml"),
        (("serve", "--workers", "0"), 2, "Usage"),
        (("refine",), 1, "serve some requests first"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    arguments: tuple[str, ...], code: int, said: str, tmp_path: Path
) -> None:
    done = paretogate(*arguments, state=tmp_path)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_doctor_finds_nothing_broken_here(tmp_path: Path) -> None:
    done = paretogate("doctor", "--json", "--offline", state=tmp_path)
    checks = {check["subject"]: check for check in json.loads(done.stdout)}
    assert done.returncode == 0, done.stderr
    assert checks["predictor"]["verdict"] == "ok"
    assert checks["state directory"]["verdict"] == "ok"


def test_doctor_says_what_is_broken_and_how_to_mend_it(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file where a folder should be", encoding="utf-8")
    done = paretogate("doctor", "--json", "--offline", state=tmp_path / "state")
    assert done.returncode == 1
    checks = {check["subject"]: check for check in json.loads(done.stdout)}
    assert checks["state directory"]["verdict"] == "broken"
    assert "state.dir" in checks["state directory"]["remedy"]


@pytest.mark.loopback
def test_a_taken_port_is_refused_before_anything_is_started(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = paretogate("serve", "--port", str(port), state=tmp_path)
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
    assert "--port" in done.stderr


@pytest.mark.parametrize(
    ("forbidden", "told"),
    [("journal.sqlite3", "journal.sqlite3 cannot be written: "), ("spool", "cannot write in ")],
)
def test_a_journal_of_somebody_elses_is_told_before_anything_is_served(
    forbidden: str, told: str, tmp_path: Path
) -> None:
    (tmp_path / "spool").mkdir()
    (tmp_path / "journal.sqlite3").touch()
    (tmp_path / forbidden).chmod(0o500)
    for command, place in (("serve", "stderr"), ("doctor --json", "stdout")):
        done = paretogate(*command.split(), state=tmp_path, through=AS_ANYBODY)
        said = " ".join(getattr(done, place).split())
        assert told in said
        assert "PARETOGATE_JOURNAL__URL" in said
        assert done.returncode == 1
        assert "serving" not in done.stderr


def test_a_folder_that_was_deleted_meanwhile_hinders_nobody_who_needs_nothing_there(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    begin = ("sh", "-c", 'cd "$0" && rmdir "$0" && exec "$@"', str(gone))
    listed = paretogate("keys", "list", state=tmp_path / "state", through=begin)
    assert (listed.returncode, listed.stdout) == (0, "")
    assert listed.stderr.startswith("no keys")


@pytest.mark.loopback
@pytest.mark.local_model
def test_two_workers_share_the_door_the_model_and_the_journal(start_gateway: StartGateway, tmp_path: Path) -> None:
    running: Gateway = start_gateway(tmp_path / "state", "--workers", "2")

    def is_ready() -> bool:
        with suppress(httpx.HTTPError):
            return httpx.get(f"{running.url}/health/readiness", timeout=AT_MOST_S).status_code == 200
        return False

    wait_until(is_ready)
    hello = [{"role": "user", "content": "Say hello."}]
    for _ in range(4):
        assert running.client.chat.completions.create(model="auto", messages=hello, max_tokens=2).choices
    told = 'paretogate_requests_total{door="chat",outcome="ok"} 4.0'  # of both, whichever answers
    wait_until(lambda: told in httpx.get(f"{running.url}/metrics", timeout=AT_MOST_S).text)
    assert running.stop() == 0
    counted = paretogate("journal", "status", "--json", state=running.state)
    assert json.loads(counted.stdout)["decisions"] == 4


def test_the_line_to_try_can_be_called_where_a_key_is_asked_for_from_everywhere(tmp_path: Path) -> None:
    made = paretogate("keys", "create", "--tenant", "me", state=tmp_path)
    assert made.returncode == 0, made.stderr
    command = [sys.executable, "-m", "gateway.cli", "serve", "--host", "0.0.0.0", "--port", "0"]
    off = {"PARETOGATE_EMBEDDED__ENABLED": "off"}
    with subprocess.Popen(command, env=environment(tmp_path, off), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if "-d '{" in line:
                break
        process.terminate()
    assert "curl -i http://127.0.0.1:" in said
    assert "authorization: Bearer YOUR_KEY" in said
