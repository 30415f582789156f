import asyncio
import logging
import secrets
import shlex
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client
from mcp.server.lowlevel import Server
from mcp_types import CallToolResult, ImageContent, ListToolsResult, TextContent

from gateway.keys import KeyFile, issue
from gateway.tools import RegistryStore, StoredTool
from gateway.tools.importers.servers import describe_server, import_server
from gateway.upstreams.fake import Misbehaviour
from tests.gateway.running import listening, pair
from tests.waiting import AT_MOST_S

from .guarded import guarded
from .notes_server import __file__ as notes
from .notes_server import server as notes_server

pytestmark = pytest.mark.loopback


async def registered(tmp_path: Path) -> None:
    found = await import_server(describe_server(shlex.join([sys.executable, str(notes)])))
    store = RegistryStore(tmp_path / "tools" / "registries")
    store.save("notes", found.tools, source="mcp", now_s=0.0, server=found.server)


async def test_tools_are_found_and_called_through_the_gateway(tmp_path: Path) -> None:
    await registered(tmp_path)
    async with pair(tmp_path) as (gateway, _, _), Client(f"{gateway.url}/mcp") as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == {"search_tools", "call_tool"}
        found = await client.call_tool("search_tools", {"query": "how many words has this", "top_k": 1})
        assert "count_words" in str(found.content)
        called = await client.call_tool(
            "call_tool", {"registry": "notes", "name": "count_words", "arguments": {"text": "one two"}}
        )
        assert not called.is_error
        assert [part.text for part in called.content if part.type == "text"] == ["2"]
        unknown = await client.call_tool("call_tool", {"registry": "notes", "name": "nothing", "arguments": {}})
        assert unknown.is_error


async def test_a_damaged_registry_is_told_of_by_name_and_keeps_no_other_from_being_searched(tmp_path: Path) -> None:
    await registered(tmp_path)
    damaged = tmp_path / "tools" / "registries" / "broken" / "1.json"
    damaged.parent.mkdir()
    damaged.write_text("{")
    async with pair(tmp_path) as (gateway, _, _), Client(f"{gateway.url}/mcp") as client:
        found = await client.call_tool("search_tools", {"query": "how many words has this", "top_k": -3})
        assert "count_words" in str(found.content)
        assert not found.is_error
        named = await client.call_tool("search_tools", {"query": "words", "registry": "broken"})
        assert named.is_error
        assert "damaged" in str(named.content)


@asynccontextmanager
async def an_odd_server(tmp_path: Path) -> AsyncIterator[tuple[str, asyncio.Event, asyncio.Event]]:
    """A gateway before a server that answers by the name of the tool; events: a call began, was given up."""
    began, given_up = asyncio.Event(), asyncio.Event()

    async def answer(_: object, params: Any) -> CallToolResult:
        if params.name == "picture":
            return CallToolResult(content=[ImageContent(type="image", data="aGk=", mime_type="image/png")])
        if params.name == "failing":
            return CallToolResult(content=[TextContent(type="text", text="no such city")], is_error=True)
        began.set()
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            given_up.set()
            raise
        return CallToolResult(content=[])

    async def none(*_: object) -> ListToolsResult:
        return ListToolsResult(tools=[])

    app = Server("odd", on_list_tools=none, on_call_tool=answer).streamable_http_app()
    async with listening(app) as url, pair(tmp_path) as (gateway, _, _):
        tools = [StoredTool(name=name) for name in ("picture", "failing", "endless")]
        store = RegistryStore(tmp_path / "tools" / "registries")
        store.save("odd", tools, source="mcp", now_s=0.0, server={"url": f"{url}/mcp"})
        yield f"{gateway.url}/mcp", began, given_up


async def test_a_server_that_needs_a_key_gets_the_gateways(tmp_path: Path) -> None:
    app = notes_server.streamable_http_app()
    call = {"registry": "notes", "name": "count_words", "arguments": {"text": "one two"}}
    async with listening(guarded(app, "Bearer s3cret")) as url:
        server = describe_server(f"{url}/mcp", api_key_env="NOTES_TOKEN")
        store = RegistryStore(tmp_path / "tools" / "registries")
        store.save("notes", [StoredTool(name="count_words")], source="mcp", now_s=0.0, server=server)
        having = pair(tmp_path, environ={"NOTES_TOKEN": "s3cret"})
        async with having as (gateway, _, _), Client(f"{gateway.url}/mcp") as client:
            counted = await client.call_tool("call_tool", call)
        async with pair(tmp_path) as (gateway, _, _), Client(f"{gateway.url}/mcp") as client:
            unset = await client.call_tool("call_tool", call)
    assert [part.text for part in counted.content if part.type == "text"] == ["2"]
    assert unset.is_error
    assert "NOTES_TOKEN, which is not set; set it where paretogate runs" in str(unset.content)


async def test_what_a_tool_answers_is_the_answer_and_its_failure_a_failure(tmp_path: Path) -> None:
    async with an_odd_server(tmp_path) as (url, _, _), Client(url) as client:
        picture = await client.call_tool("call_tool", {"registry": "odd", "name": "picture", "arguments": {}})
        failing = await client.call_tool("call_tool", {"registry": "odd", "name": "failing", "arguments": {}})
        other = await client.call_tool("call_tool", {"registry": "odd", "name": "other", "arguments": {}})
    assert [part.type for part in picture.content] == ["image"]
    assert (picture.is_error, failing.is_error, other.is_error) == (False, True, True)
    assert "no such city" in str(failing.content)
    assert "odd@1 has no tool 'other'" in str(other.content)


async def test_a_client_that_gives_up_a_call_ends_it(tmp_path: Path) -> None:
    async with an_odd_server(tmp_path) as (url, began, given_up), Client(url) as client:
        calling = asyncio.create_task(
            client.call_tool("call_tool", {"registry": "odd", "name": "endless", "arguments": {}})
        )
        async with asyncio.timeout(AT_MOST_S):
            await began.wait()
            calling.cancel()
            await given_up.wait()


async def test_no_stream_is_held_open_that_would_never_bring_anything(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, _, _), httpx.AsyncClient(timeout=AT_MOST_S) as client:
        for method in ("GET", "DELETE"):
            refused = await client.request(method, f"{gateway.url}/mcp", headers={"accept": "text/event-stream"})
            assert (refused.status_code, refused.headers["allow"]) == (405, "POST")


async def test_whoever_needs_a_key_needs_one_here_too(tmp_path: Path) -> None:
    key, token = issue(random_bytes=secrets.token_bytes, now_s=0.0, tenant="t", tools_deny=("count_*",))
    KeyFile(tmp_path / "keys.json").change(lambda keys: (*keys, key))
    await registered(tmp_path)
    async with pair(tmp_path, settings={"auth": {"required": True}}) as (gateway, _, _):
        async with httpx.AsyncClient(timeout=AT_MOST_S) as client:
            refused = await client.post(f"{gateway.url}/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
        assert refused.status_code == 401
        found = await gateway.client.post(
            "/v1/tools/search",
            json={"query": "words", "set": "notes"},
            headers={"authorization": f"Bearer {token}"},
        )
        assert [tool["name"] for tool in found.json()["data"]] == ["delete_notes"]  # what the key may use


async def test_a_key_that_may_use_some_tools_is_told_of_no_registries(tmp_path: Path) -> None:
    key, token = issue(random_bytes=secrets.token_bytes, now_s=0.0, tenant="t", tools_allow=("lend_*",))
    KeyFile(tmp_path / "keys.json").change(lambda keys: (*keys, key))
    await registered(tmp_path)
    hello = [{"role": "user", "content": "hi"}]
    asked: list[tuple[str, dict[str, Any]]] = [
        ("/mcp", called("search_tools", query="words", registry="library")),
        ("/mcp", called("call_tool", registry="library", name="lend_book", arguments={})),
        ("/mcp", called("call_tool", registry="notes", name="count_words", arguments={"text": "x"})),
        ("/v1/tools/search", {"query": "words", "set": "library"}),
        ("/v1/chat/completions", {"model": "auto", "messages": hello, "routing": {"tools": {"set": "library"}}}),
        (
            "/v1/messages",
            {"model": "auto", "max_tokens": 9, "messages": hello, "routing": {"tools": {"set": "library"}}},
        ),
    ]
    accept = {"accept": "application/json, text/event-stream"}
    async with pair(tmp_path) as (gateway, _, _):
        for path, body in asked:
            told = await gateway.client.post(path, json=body, headers={"authorization": f"Bearer {token}", **accept})
            whole = await gateway.client.post(path, json=body, headers=accept)
            assert "notes" not in told.text, path
            assert "library" not in whole.text or "there are notes" in whole.text  # who may use all is told of all


def called(tool: str, **arguments: Any) -> dict[str, Any]:
    """A call of one of our own tools, as MCP has it."""
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}


async def test_a_key_has_as_many_requests_for_tools_as_for_anything(tmp_path: Path) -> None:
    key, token = issue(random_bytes=secrets.token_bytes, now_s=0.0, tenant="t", requests_per_minute=2)
    KeyFile(tmp_path / "keys.json").change(lambda keys: (*keys, key))
    headers = {"authorization": f"Bearer {token}", "accept": "application/json, text/event-stream"}
    declared = [{"type": "function", "function": {"name": "f", "description": "words"}}]
    search = ("/v1/tools/search", {"query": "words", "tools": declared})
    tools = ("/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    async with pair(tmp_path) as (gateway, _, _):
        answers = [
            await gateway.client.post(path, json=body, headers=headers) for path, body in (search, tools, search, tools)
        ]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert all(int(answer.headers["retry-after"]) > 0 for answer in answers[2:])


async def test_it_counts_among_the_requests_that_are_inside_at_once(tmp_path: Path) -> None:
    ping = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    async with pair(tmp_path, settings={"server": {"max_concurrency": 1}}) as (gateway, strong, _):
        go_on = asyncio.Event()
        strong.misbehave(Misbehaviour(fault="slow_first_token", until=go_on))
        answering = asyncio.create_task(gateway.chat(model="strong"))
        await strong.wait_until_asked()
        full = await gateway.client.post("/mcp", json=ping)
        go_on.set()
        await answering
        free = await gateway.client.post("/mcp", json=ping)
    assert (full.status_code, full.json()["error"]["code"], free.status_code) == (503, "overloaded", 200)


async def test_bodies_are_bounded_here_too(tmp_path: Path) -> None:
    async with pair(tmp_path, settings={"server": {"max_body_bytes": 10_000}}) as (gateway, _, _):
        large = await gateway.client.post("/mcp", content=b'{"a":"' + b"x" * 20_000 + b'"}')
        deep = await gateway.client.post("/mcp", content=b"[" * 4_000 + b"]" * 4_000)
    assert (large.status_code, large.json()["error"]["code"]) == (413, "request_too_large")
    assert (deep.status_code, deep.json()["error"]["code"]) == (400, "invalid_json")


async def test_the_sdk_does_not_take_over_the_logs(tmp_path: Path) -> None:
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    async with pair(tmp_path) as (gateway, _, _), Client(f"{gateway.url}/mcp") as client:
        await client.list_tools()
        assert (root.handlers[:], root.level) == before
