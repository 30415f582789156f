"""Lists of tools that nobody would write by accident are answered, whole or cut, and hold nothing up."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from gateway.tools.indexes.shelf import IndexShelf
from tests.gateway.routes.test_tools import ready_indexes
from tests.gateway.running import CHAT, HI, pair
from tests.waiting import AT_MOST_S

from .offers import function, functions

pytestmark = pytest.mark.loopback
WIDE = {"type": "object", "properties": {f"p{n}": {"type": "string", "description": "word " * 9} for n in range(4_000)}}
ITSELF = {"type": "object", "properties": {"a": {"$ref": "#"}}, "$defs": {"x": {"$ref": "#/$defs/x"}}}


def with_schema(schema: object) -> list[dict[str, Any]]:
    return [{"type": "function", "function": {"name": f"t{n}", "parameters": schema}} for n in range(30)]


@pytest.mark.parametrize(
    ("tools", "summary"),
    [
        ([function("same", f"The {n}th.") for n in range(30)], "30->30"),  # the first is judged, the others are not
        ([{"type": "function"}, {}, {"function": {"name": 3}}] * 10, "30->30"),  # unreadable: the backend's to judge
        ([*functions(), function("wide", "Wide.", parameters=WIDE)], "41->10"),
        (with_schema(ITSELF), "30->10"),
        (with_schema("text"), "30->10"),
        (with_schema([1, None, {"enum": [None, 1.5, ["x"], {"y": "two words"}]}]), "30->10"),
        ([function(f"工具{n}", "查找天气 ☃ 😀") for n in range(30)], "30->10"),
        ([function("x" * 50_000 + str(n)) for n in range(30)], "30->10"),
        ([function(f" {n}", "") for n in range(30)], "30->10"),
    ],
    ids=["twins", "unreadable", "wide", "recursive", "no schema", "list", "ideograms", "long names", "blank"],
)
async def test_whatever_tools_are_declared_the_request_is_answered(
    tmp_path: Path, tools: list[dict[str, Any]], summary: str
) -> None:
    async with pair(tmp_path, settings={"tools": {"deadline_ms": 60_000}}) as (gateway, _, cheap):
        answer = await gateway.client.post(CHAT, json={"model": "cheap", "messages": HI, "tools": tools})
        assert (answer.status_code, answer.headers["x-paretogate-tools"]) == (200, summary), answer.text
        assert all(tool in tools for tool in cheap.requests[0]["tools"])


async def test_ten_thousand_tools_are_sent_whole_until_their_index_is_ready_and_cut_after(tmp_path: Path) -> None:
    many = [function(f"tool_{n}", f"Does thing {n}.") for n in range(10_000)]
    body = {"model": "cheap", "messages": HI, "tools": many}
    async with pair(tmp_path, settings={"tools": {"deadline_ms": 1}}) as (gateway, _, _):
        first = await gateway.client.post(CHAT, json=body)
        assert first.headers["x-paretogate-tools"] == "10000->10000"
        assert first.headers["x-paretogate-tool-selection"] == "index_not_ready"
        metrics = (await gateway.client.get("/metrics")).text
        assert 'paretogate_tool_selections_total{how="failed_open"} 1.0' in metrics
        assert 'paretogate_tool_selection_failures_total{why="index_not_ready"} 1.0' in metrics
    async with pair(tmp_path, settings={"tools": {"deadline_ms": 60_000}}) as (gateway, _, _):
        cut = await gateway.client.post(CHAT, json=body)
        assert cut.headers["x-paretogate-tools"] == "10000->10"
        assert "x-paretogate-tool-selection" not in cut.headers


async def test_a_conversation_whose_first_turn_was_sent_whole_in_haste_is_cut_from_the_next_one_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"model": "cheap", "tools": functions(), "routing": {"session_id": "s"}}
    fit, go_on = IndexShelf.fit, threading.Event()
    monkeypatch.setattr(IndexShelf, "fit", lambda *given: [go_on.wait(AT_MOST_S), fit(*given)][1])
    turns = [*HI, {"role": "assistant", "content": "Hello."}, {"role": "user", "content": "Is it raining?"}]
    async with pair(tmp_path, settings={"tools": {"deadline_ms": 3_000}}) as (gateway, _, _):
        first = await gateway.client.post(CHAT, json={**asked, "messages": HI})
        go_on.set()
        await ready_indexes(gateway)
        second = await gateway.client.post(CHAT, json={**asked, "messages": turns})
    assert [a.headers["x-paretogate-tools"] for a in (first, second)] == ["40->40", "40->20"]


@pytest.mark.usefixtures("interpreter_as_before")
async def test_others_are_answered_while_ten_thousand_tools_are_read_and_indexed(tmp_path: Path) -> None:
    many = [function(f"tool_{n}", f"Does thing {n}.") for n in range(10_000)]
    async with pair(tmp_path, settings={"tools": {"deadline_ms": 60_000}}, own_process=True) as (gateway, _, _):
        await gateway.chat()  # whatever a first request has to do
        large = asyncio.create_task(gateway.client.post(CHAT, json={"model": "cheap", "messages": HI, "tools": many}))
        answered = 0
        while not large.done():
            assert (await gateway.chat(model="cheap")).status_code == 200
            answered += 1
        assert (await large).headers["x-paretogate-tools"] == "10000->10"
        assert answered >= 10  # all of them within the two seconds or so that it takes
