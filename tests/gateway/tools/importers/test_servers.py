import asyncio
import gzip
import shlex
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.tools import RegistryStore
from gateway.tools.errors import InvalidRegistryError, ToolServerError
from gateway.tools.importers.servers import call_server, describe_server, import_server
from tests.gateway.running import listening
from tests.gateway.tools.guarded import guarded, guarded_calls
from tests.gateway.tools.notes_server import server as notes
from tests.waiting import AT_MOST_S

pytest.importorskip("mcp")
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, ListToolsResult, Tool

SCRIPT = Path(__file__).parents[1] / "notes_server.py"
COMMAND = shlex.join([sys.executable, str(SCRIPT)])  # a checkout may lie in a folder with spaces


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
@pytest.mark.parametrize(
    ("cursors", "n_tools", "problem"),
    [
        (["a", "b", "a"], 1, "names a page of its tools as the next that was read already"),
        ([f"{at}" for at in range(1_000)], 30_000, r"lists more than 100,000 tools, .*; import a part from a file"),
    ],
)
async def test_a_list_of_tools_without_end_is_told(cursors: list[str], n_tools: int, problem: str) -> None:
    pages = iter(cursors)

    async def listed(*_: object) -> ListToolsResult:
        tool = Tool(name="t", input_schema={"type": "object"})
        return ListToolsResult(tools=[tool] * n_tools, next_cursor=next(pages))

    async with listening(Server("odd", on_list_tools=listed).streamable_http_app()) as url:
        with pytest.raises(ToolServerError, match=problem):
            await import_server(describe_server(f"{url}/mcp"), deadline_s=AT_MOST_S)


@pytest.mark.loopback
async def test_schemas_of_numbers_that_only_python_reads_are_taken_as_other_programs_have_them(tmp_path: Path) -> None:
    async def listed(*_: object) -> ListToolsResult:
        return ListToolsResult(tools=[Tool(name="t", input_schema={"type": "object", "maxProperties": 10**30})])

    async with listening(Server("odd", on_list_tools=listed).streamable_http_app()) as url:
        found = await import_server(describe_server(f"{url}/mcp"), deadline_s=AT_MOST_S)
    stored = RegistryStore(tmp_path).save("odd", found.tools, source="test", now_s=1.0)
    assert stored.tools[0].schema == {"type": "object", "maxProperties": 1e30}


@pytest.mark.loopback
async def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(ToolServerError, match=r"127\.0\.0\.1:9"):
        await import_server(describe_server("http://127.0.0.1:9/mcp"))


@pytest.mark.loopback
async def test_no_message_tells_the_secrets_in_an_address() -> None:
    with pytest.raises(ToolServerError, match=r"http://127\.0\.0\.1:9/mcp does") as raised:
        await import_server(describe_server("http://me:secret@127.0.0.1:9/mcp?key=secret"))
    assert "secret" not in str(raised.value)


@pytest.mark.loopback
async def test_a_server_that_refuses_a_call_has_answered() -> None:
    async def refuse(*_: object) -> Any:
        raise MCPError(code=INVALID_PARAMS, message="the city is missing")

    async with listening(Server("odd", on_call_tool=refuse).streamable_http_app()) as url:
        answer = await call_server(describe_server(f"{url}/mcp"), "weather", {})
    assert answer["is_error"]
    assert answer["content"] == [{"type": "text", "text": "the city is missing"}]


@pytest.mark.loopback
async def test_a_server_that_breaks_off_has_not() -> None:
    server = describe_server(shlex.join([sys.executable, "-c", "import sys; sys.exit(3)"]))
    with pytest.raises(ToolServerError, match="does not answer"):
        await call_server(server, "weather", {})


@pytest.mark.parametrize(("address", "problem"), [(" ", "URL"), ("python 'server.py", "quotation")])
def test_a_server_without_an_address_is_refused(address: str, problem: str) -> None:
    with pytest.raises(InvalidRegistryError, match=problem):
        describe_server(address)


@pytest.mark.loopback
async def test_a_server_that_needs_a_key_gets_what_its_variables_hold() -> None:
    async with listening(guarded(notes.streamable_http_app(), "Bearer s3cret", room="42")) as url:
        server = describe_server(f"{url}/mcp", api_key_env="NOTES_TOKEN", headers_env={"X-Room": "NOTES_ROOM"})
        environ = {"NOTES_TOKEN": "s3cret\n", "NOTES_ROOM": "42"}
        found = await import_server(server, environ=environ)
        answer = await call_server(server, "count_words", {"text": "one two"}, environ=environ)
    assert len(found.tools) == 2
    assert found.server == {
        "url": f"{url}/mcp",
        "api_key_env": "NOTES_TOKEN",
        "headers_env": {"X-Room": "NOTES_ROOM"},
    }
    assert answer["content"][0]["text"] == "2"


@pytest.mark.loopback
@pytest.mark.parametrize(
    ("named", "environ", "problem"),
    [
        ({}, {}, r"refuses us \(401\).* --api-key-env"),
        ({"api_key_env": "NOTES_TOKEN"}, {"NOTES_TOKEN": "wr0ng"}, r"refuses us \(401\); check what NOTES_TOKEN holds"),
        ({"api_key_env": "NOTES_TOKEN"}, {}, r"variable NOTES_TOKEN, which is not set; set it"),
        ({"headers_env": {"Authorization": "NOTES_TOKEN"}}, {"NOTES_TOKEN": " "}, "NOTES_TOKEN, which is not set"),
        ({"api_key_env": "NOTES_TOKEN"}, {"NOTES_TOKEN": "wr0ng\r\nX: y"}, "what NOTES_TOKEN holds.* one line"),
    ],
)
async def test_a_key_that_is_missing_or_wrong_is_told_by_its_variable(
    named: dict[str, Any], environ: dict[str, str], problem: str
) -> None:
    async with listening(guarded(notes.streamable_http_app(), "Bearer s3cret")) as url:
        with pytest.raises(ToolServerError, match=problem) as raised:
            await import_server(describe_server(f"{url}/mcp", **named), environ=environ)
    assert "wr0ng" not in str(raised.value)


@pytest.mark.loopback
async def test_a_server_that_wants_a_key_for_calls_alone_is_told_like_one_that_always_does() -> None:
    async with listening(guarded_calls(notes.streamable_http_app())) as url:
        server = describe_server(f"{url}/mcp")
        assert len((await import_server(server)).tools) == 2
        with pytest.raises(ToolServerError, match=r"refuses us \(401\).* --api-key-env"):
            await call_server(server, "count_words", {"text": "one two"})


@pytest.mark.loopback
async def test_a_command_gets_the_variables_that_are_named_for_it() -> None:
    strict = "import os; assert os.environ['NOTES_TOKEN'] == 's3cret'; assert 'OTHER' not in os.environ; "
    run = f"{strict}import runpy; runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
    server = describe_server(shlex.join([sys.executable, "-c", run]), env=["NOTES_TOKEN"])
    assert len((await import_server(server, environ={"NOTES_TOKEN": "s3cret", "OTHER": "x"})).tools) == 2
    with pytest.raises(ToolServerError, match="variable NOTES_TOKEN, which is not set"):
        await import_server(server)


@pytest.mark.parametrize(
    ("address", "named", "problem"),
    [
        ("https://host/mcp", {"api_key_env": "sk-123"}, "names of environment variables"),
        ("https://host/mcp", {"headers_env": {"X Y": "KEY"}}, "no name of a header"),
        ("https://host/mcp", {"api_key_env": "KEY", "headers_env": {"authorization": "KEY"}}, "named twice"),
        ("https://host/mcp", {"env": ["KEY"]}, "passed on to commands"),
        ("python server.py", {"api_key_env": "KEY"}, "are for URLs"),
    ],
)
def test_what_cannot_be_named_for_a_server_is_refused(address: str, named: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidRegistryError, match=problem) as raised:
        describe_server(address, **named)
    assert "sk-123" not in str(raised.value)


@asynccontextmanager
async def answering(head: bytes, part: bytes, *, parts: int) -> AsyncIterator[tuple[str, list[int]]]:
    """A server that answers whatever it is asked in so many equal parts; how many it got rid of."""
    sent = [0]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65_536)
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n" + head + b"\r\n\r\n")
        try:
            for _ in range(parts):
                writer.write(part)
                await writer.drain()
                sent[0] += 1
        except OSError:
            pass
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/mcp", sent


@pytest.mark.loopback
async def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    """800 MB took 2.6 GB and held everybody up for half a minute."""
    async with answering(b"content-type: application/json", b" " * 1_000_000, parts=200) as (url, sent):
        with pytest.raises(ToolServerError, match="the answer is longer than 8 MB"):
            await call_server({"url": url}, "any", {})
    assert sent[0] < 30


@pytest.mark.loopback
async def test_a_packed_answer_is_refused_unopened() -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    head = b"content-type: application/json\r\ncontent-encoding: gzip"
    async with answering(head, bomb, parts=1) as (url, _):
        with pytest.raises(ToolServerError, match="the answer is packed"):
            await call_server({"url": url}, "any", {})


def saying(code: str) -> dict[str, Any]:
    """A server on standard input that does no more than this."""
    return {"command": sys.executable, "args": ["-uc", f"import os, sys, time; {code}"]}


@pytest.mark.loopback
@pytest.mark.parametrize(
    "flood",
    ["while True: os.write(1, b'x' * 65536)", "while True: os.write(1, b'no message' * 6000 + b'\\n')"],
    ids=["a line without end", "lines without end"],
)
async def test_a_command_without_end_is_not_read_to_its_end(flood: str) -> None:
    """A line of any length was kept, and beside it as much again for every further piece."""
    with pytest.raises(ToolServerError, match="the answer is longer than 8 MB"):
        await call_server(saying(f"sys.stdin.readline()\n{flood}"), "any", {}, deadline_s=300)


@pytest.mark.loopback
@pytest.mark.parametrize("call", [call_server, import_server])
async def test_a_command_that_never_answers_is_stopped_with_its_children(tmp_path: Path, call: Any) -> None:
    told = tmp_path / "children"
    code = f"child = os.fork(); open({str(told)!r}, 'a').write(str(os.getpid()) + ' '); time.sleep(600)"
    given = ("any", {}) if call is call_server else ()
    with pytest.raises(ToolServerError, match=r"does not answer \(not to its end within [0-9.]+ s\)"):
        await call(saying(code), *given, deadline_s=3)
    pids = [int(pid) for pid in told.read_text().split()]
    assert len(pids) == 2
    while any(is_alive(pid) for pid in pids):  # noqa: ASYNC110 - the system takes a moment over it
        await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Whether it runs; one that nobody has buried yet does not."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


@pytest.mark.loopback
async def test_what_a_command_says_beside_its_answers_reaches_no_log(capfd: pytest.CaptureFixture[str]) -> None:
    """It may quote what it was asked."""
    aside = "sys.stderr.write('the secret question\\n' * 10_000); print('no message', flush=True); "
    run = f"import runpy; runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
    answer = await call_server(saying(aside + run), "count_words", {"text": "one two"})
    assert answer["content"][0]["text"] == "2"
    assert "secret" not in capfd.readouterr().err
    await import_server(saying(aside + run))  # at a terminal, where nobody has asked anything yet
    assert "secret" in capfd.readouterr().err
