import errno
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import structlog
import typer
from rich.text import Text

from catalog import ParetoGateError
from gateway import cli
from gateway.journal import SqliteJournal
from gateway.journal_store import lock_folder


def room(name: str, value: str) -> dict[str, EntryPoint]:
    return {name: EntryPoint(name=name, value=value, group="paretogate.commands")}


def failing() -> None:
    raise ParetoGateError("the thing is broken; mend it")


def lacking(name: str) -> None:
    raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def starving() -> None:
    raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))


def threading_in_vain() -> None:
    before = threading.stack_size(1 << 46)  # more than any machine has
    try:
        threading.Thread(target=print).start()
    finally:
        threading.stack_size(before)


def memoryless() -> None:
    raise MemoryError


nested = typer.Typer()


@nested.command()
def inner(number: int) -> None:
    typer.echo(f"inner {number}")


@nested.command()
def other() -> None:
    typer.echo("other")


HERE = __name__


@pytest.fixture
def with_rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, HERE, sys.modules[HERE])
    rooms = {
        **room("nested", f"{HERE}:nested"),
        **room("failing", f"{HERE}:failing"),
        **room("lacking", f"{HERE}:lacking"),
        **room("uninstalled", "no_such_package_of_ours:command"),
        **room("starving", f"{HERE}:starving"),
        **room("threading", f"{HERE}:threading_in_vain"),
        **room("memoryless", f"{HERE}:memoryless"),
        **room("broken", f"{HERE}:absent"),
    }
    monkeypatch.setattr(cli, "_entry_points", lambda: rooms)


def test_help_names_every_command_and_loads_none() -> None:
    program = (
        "import json, sys; from gateway.cli import main; main(['--help']); "
        "print(json.dumps([m for m in sys.modules if m.split('.')[0] in {'eval', 'predictors', 'fastapi', 'polars'}]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    *shown, loaded = done.stdout.splitlines()
    assert json.loads(loaded) == []
    for command in ("serve", "route", "explain", "refine", "journal", "doctor", "catalog", "train", "replay"):
        assert any(f" {command} " in line for line in shown), command


def test_every_command_has_words_for_machines() -> None:
    """Those that say nothing but JSON anyway, and where `--json` would be of no use, are named here."""
    root: Any = typer.main.get_command(cli.app)

    def leaves(path: str, command: Any) -> Iterator[tuple[str, Any]]:
        inner = getattr(command, "commands", None)
        if inner is None:
            yield path, command
        for name, each in (inner or {}).items():
            yield from leaves(f"{path} {name}", each)

    without = set()
    for name in root.list_commands(None):
        real = cli._as_command(name, root.get_command(None, name)._load)
        without |= {path for path, each in leaves(name, real) if not any("--json" in p.opts for p in each.params)}
    assert without == {"journal export", "tools synthesize"}


def test_an_interrupt_while_the_command_line_is_loaded_is_no_traceback() -> None:
    program = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has what it starts in the background ignore it
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == "catalog":
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
from gateway.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")


def test_another_rooms_commands_work_as_if_they_were_ours(with_rooms: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["nested", "inner", "7"]) == 0
    assert capsys.readouterr().out == "inner 7\n"


def test_what_goes_wrong_on_purpose_is_one_line_and_exit_code_one(
    with_rooms: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["failing"]) == 1
    assert capsys.readouterr().err == "error: the thing is broken; mend it\n"


def test_what_an_error_quotes_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["catalog", "show", "x\x1b]0;owned\x07"]) == 1
    assert r"x\x1b]0;owned\x07" in capsys.readouterr().err


def test_too_little_memory_is_one_line_with_its_remedy(with_rooms: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["memoryless"]) == 1
    assert capsys.readouterr().err.startswith("error: this needs more memory than there is; see that the files")


def test_a_room_that_is_not_installed_says_so_and_leaves_the_others_working(
    with_rooms: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["uninstalled"]) == 1
    assert "needs no_such_package_of_ours, which is not installed" in capsys.readouterr().err
    assert cli.main(["broken"]) == 1
    assert "cannot be loaded" in capsys.readouterr().err
    assert cli.main(["nested", "other"]) == 0


def test_a_library_that_is_missed_only_at_work_is_named_with_the_extra_that_brings_it(
    with_rooms: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["lacking", "polars"]) == 1
    told = "error: this needs polars, which is not installed: pip install 'paretogate[train]'\n"
    assert capsys.readouterr().err == told
    with pytest.raises(ModuleNotFoundError, match="ours"):  # nothing that could be installed: a fault of the program
        cli.main(["lacking", "ours"])


def test_a_machine_that_allows_no_further_thread_is_told_with_the_remedy(
    with_rooms: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["threading"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: this machine allows no further thread; raise the limit of processes (ulimit -u")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("path", "problem"), [("", "is a folder"), ("folder", "is a folder"), ("notes.txt", "is no SQLite file")]
)
def test_what_cannot_be_a_journal_is_told_before_anything_is_served(
    tmp_path: Path, path: str, problem: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "notes.txt").write_text("to be kept", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PARETOGATE_STATE__DIR", str(tmp_path))
    monkeypatch.setenv("PARETOGATE_JOURNAL__URL", f"sqlite:///{path}")
    try:
        assert cli.main(["serve"]) == 1
    finally:
        structlog.reset_defaults()  # other tests log, too
    assert f" {problem}; name another file (PARETOGATE_JOURNAL__URL)" in capsys.readouterr().err
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "to be kept"


def test_what_the_machine_refuses_is_one_line_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state, declared = tmp_path / "state", tmp_path / "tools.json"
    declared.write_text('[{"name": "look_up", "description": "Look something up."}]', encoding="utf-8")
    state.write_text("a file where a folder should be", encoding="utf-8")
    monkeypatch.setenv("PARETOGATE_STATE__DIR", str(state))
    assert cli.main(["tools", "import", str(declared), "--name", "office"]) == 1
    told = f"error: {state}/tools/registries/office: Not a directory; see that the path is right and can be used\n"
    assert capsys.readouterr().err == told


def test_a_full_disk_is_told_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PARETOGATE_STATE__DIR", str(tmp_path))
    journal = SqliteJournal(tmp_path / "journal.sqlite3")
    journal.write("decision", {"decision_id": "d1"})
    journal.close_now()
    assert cli.main(["journal", "export", "--out", "/dev/full"]) == 1
    assert capsys.readouterr().err == "error: No space left on device; free some space\n"


def test_a_file_system_without_locks_is_named_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unknown(*_: object) -> None:  # as NFS without its lock daemon says
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setenv("PARETOGATE_STATE__DIR", str(tmp_path))
    monkeypatch.setattr("fcntl.flock", unknown)
    assert cli.main(["refine"]) == 1
    assert capsys.readouterr().err.startswith(f"error: {tmp_path}/measured.lock: No locks available; name a place on a")
    with pytest.raises(OSError, match=r"No locks available: .*/lock"):
        lock_folder(tmp_path)


def test_want_of_memory_is_told_with_the_remedy(with_rooms: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["starving"]) == 1
    assert capsys.readouterr().err == "error: Cannot allocate memory; give it more memory\n"


@pytest.mark.parametrize("argv", [["srve"], ["nested", "inner", "seven"], ["refine", "--every", "0"], ["--nonsense"]])
def test_misuse_is_exit_code_two(with_rooms: None, argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(argv) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_version_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("paretogate ")


def test_a_wrong_key_in_the_configuration_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "paretogate.toml"
    file.write_text("[journal]\nprompt = 'full'\n", encoding="utf-8")
    assert cli.main(["journal", "status", "--config", str(file)]) == 1
    assert "journal.prompt: unknown key; did you mean prompts?" in capsys.readouterr().err


@pytest.mark.parametrize("setting", ["state.dir", "journal.url"])
def test_what_could_not_be_kept_is_not_served(
    tmp_path: Path, setting: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    elsewhere = tmp_path / "file" / "gate"  # below a file, where nothing can be
    monkeypatch.setenv("PARETOGATE_STATE__DIR", str(elsewhere if setting == "state.dir" else tmp_path))
    if setting == "journal.url":
        monkeypatch.setenv("PARETOGATE_JOURNAL__URL", f"sqlite:///{elsewhere}/j.sqlite3")
    try:
        assert cli.main(["serve"]) == 1
    finally:
        structlog.reset_defaults()  # other tests log, too
    told = capsys.readouterr().err
    assert told.startswith(f"error: {setting}: cannot write in {elsewhere}: Not a directory; make it writable, or")
    assert told.count("\n") == 1


def test_without_a_journal_one_is_told_to_serve_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PARETOGATE_STATE__DIR", str(tmp_path))
    assert cli.main(["journal", "status"]) == 1
    assert "serve some requests first" in capsys.readouterr().err


def every_command(group: Any, path: str = "paretogate") -> Iterator[tuple[str, Any]]:
    """Real commands with their names, groups among them."""
    yield path, group
    for name in getattr(group, "list_commands", lambda _: [])(None):
        found = group.get_command(None, name)
        if isinstance(found, cli._LateCommand):
            found = cli._as_command(name, found._load)
        yield from every_command(found, f"{path} {name}")


def test_every_option_says_what_it_is_and_no_word_is_taken_for_markup() -> None:
    pytest.importorskip("sklearn", reason="the extra train brings what some commands need; it is not installed")
    commands = dict(every_command(typer.main.get_command(cli.app)))
    assert {"paretogate keys create", "paretogate replay", "paretogate tools import"} <= commands.keys()
    for name, command in commands.items():
        for parameter in command.params:
            said = getattr(parameter, "help", None) or ""
            assert said or parameter.param_type_name == "argument", f"{name}: {parameter.name} has no help"
            assert Text.from_markup(said).plain == said, f"{name}: {parameter.name}: rich would eat a word"
        assert "install_completion" not in [parameter.name for parameter in command.params], name


@pytest.mark.parametrize("words", [["-h"], ["keys", "-h"], ["keys", "create", "-h"], ["serve", "-h"]])
def test_the_short_word_for_help_helps_everywhere(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 0
    assert "Usage: paretogate" in capsys.readouterr().out
