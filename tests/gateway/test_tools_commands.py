import json
from pathlib import Path

import pytest

from gateway.cli import main
from tests.gateway.tools.offers import functions


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARETOGATE_STATE__DIR", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_imported_tools_are_listed_and_shown(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (state / "tools.json").write_text(json.dumps(functions(3)))
    assert main(["tools", "import", "tools.json", "--name", "office"]) == 0
    assert main(["tools", "list"]) == 0
    assert main(["tools", "show", "office@1", "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "office@1: 3 tools"
    assert lines[1].startswith("office@1 ")
    assert [tool["name"] for tool in json.loads(lines[2])["tools"]] == [
        "weather_tool",
        "currency_tool",
        "calendar_tool",
    ]


def test_a_file_that_holds_no_tools_is_named(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (state / "tools.json").write_text("{}")
    assert main(["tools", "import", "tools.json", "--name", "office"]) == 1
    assert "tools.json: holds no list of tools" in capsys.readouterr().err


@pytest.mark.usefixtures("state")
def test_neither_file_nor_server_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tools", "import", "--name", "office"]) == 1
    assert "either a file or an MCP server" in capsys.readouterr().err


def test_the_commands_of_the_other_room_stay_in_the_group(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tools", "--help"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("eval", "search", "synthesize", "import", "list", "show"))
