import sys
from pathlib import Path

import pytest

from gateway.tools.errors import InvalidRegistryError, ToolServerError
from gateway.tools.servers import call_server, describe_server, import_server
from tests.gateway.running import listening

from .notes_server import server as notes

pytest.importorskip("mcp")

SCRIPT = Path(__file__).parent / "notes_server.py"
COMMAND = f"{sys.executable} {SCRIPT}"


@pytest.mark.loopback
async def test_a_server_on_standard_input_tells_its_tools_and_runs_them() -> None:
    server = describe_server(COMMAND)
    found = await import_server(server)
    assert [(t.name, t.annotations) for t in found.tools] == [
        ("count_words", {"readOnlyHint": True}),
        ("delete_notes", {"destructiveHint": True}),
    ]
    assert found.tools[0].schema is not None
    assert found.tools[0].schema["required"] == ["text"]
    answer = await call_server(server, "count_words", {"text": "one two three"})
    assert (answer["content"][0]["text"], answer["is_error"]) == ("3", False)


@pytest.mark.loopback
async def test_a_server_on_streamable_http_tells_its_tools_and_its_failures() -> None:
    async with listening(notes.streamable_http_app()) as url:
        server = describe_server(f"{url}/mcp")
        assert len((await import_server(server)).tools) == 2
        assert (await call_server(server, "delete_notes", {}))["is_error"]


@pytest.mark.loopback
async def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(ToolServerError, match=r"127\.0\.0\.1:9"):
        await import_server(describe_server("http://127.0.0.1:9/mcp"))


def test_a_server_without_an_address_is_refused() -> None:
    with pytest.raises(InvalidRegistryError, match="URL"):
        describe_server(" ")
