import asyncio
import json
import sys
from pathlib import Path

import pytest

from gateway.cli import main
from tests.gateway.running import listening
from tests.gateway.tools.guarded import guarded
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


def test_what_a_tool_is_called_and_described_as_steers_no_terminal(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tools = functions(1)
    tools[0]["function"]["description"] = "tells\x1b]52;c;cm0gLXJm\x07 the \u202eweather\rand more"
    (state / "tools.json").write_text(json.dumps(tools))
    assert main(["tools", "import", "tools.json", "--name", "office"]) == 0
    assert main(["tools", "show", "office"]) == 0
    assert r"tells\x1b]52;c;cm0gLXJm\x07 the \u202eweather\rand more" in capsys.readouterr().out


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


@pytest.mark.loopback
async def test_a_servers_key_is_kept_by_its_variable_alone(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("mcp")
    from tests.gateway.tools.notes_server import server as notes  # noqa: PLC0415 - of the extra `mcp`

    monkeypatch.setenv("NOTES_TOKEN", "s3cret")
    async with listening(guarded(notes.streamable_http_app(), "Bearer s3cret")) as url:
        again = ["tools", "import", "--mcp", f"{url}/mcp", "--name", "notes"]
        assert await asyncio.to_thread(main, again) == 1
        assert "refuses us (401)" in capsys.readouterr().err
        assert await asyncio.to_thread(main, [*again, "--api-key-env", "NOTES_TOKEN"]) == 0
        assert await asyncio.to_thread(main, again) == 0  # as it was imported before
        assert capsys.readouterr().out.splitlines() == ["notes@1: 2 tools", "notes@1: 2 tools"]
        assert await asyncio.to_thread(main, [*again, "--api-key-env", ""]) == 1
    kept = "".join(path.read_text() for path in (state / "state").rglob("*.json"))
    assert "NOTES_TOKEN" in kept
    assert "s3cret" not in kept


@pytest.mark.usefixtures("state")
@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (["tools.json", "--api-key-env", "NOTES_TOKEN"], "name it by --mcp"),
        (["--mcp", "http://127.0.0.1:9/mcp", "--header-env", "X-Key: s3cret"], "HEADER=VARIABLE"),
    ],
)
def test_what_names_no_variable_of_a_server_is_refused(
    given: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tools", "import", "--name", "notes", *given]) == 1
    told = capsys.readouterr().err
    assert problem in told
    assert "s3cret" not in told


def test_a_damaged_registry_is_listed_beside_the_others_and_imported_again_from_its_server(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("mcp")
    server = f"{sys.executable} {Path(__file__).parent / 'tools' / 'notes_server.py'}"
    (state / "tools.json").write_text(json.dumps(functions(3)))
    assert main(["tools", "import", "tools.json", "--name", "office"]) == 0
    assert main(["tools", "import", "--mcp", server, "--name", "broken"]) == 0
    (state / "state" / "tools" / "registries" / "broken" / "1.json").write_bytes(b"")
    capsys.readouterr()
    assert main(["tools", "list"]) == 0
    broken, office = capsys.readouterr().out.splitlines()
    assert office.startswith("office@1 ")
    assert broken.startswith("broken@1 ")
    assert "is damaged" in broken
    assert main(["tools", "list", "--json"]) == 0
    assert [entry.get("tools") for entry in json.loads(capsys.readouterr().out)] == [None, 3]
    assert main(["tools", "import", "--mcp", server, "--name", "broken"]) == 0
    assert capsys.readouterr().out.startswith("broken@2: ")
