"""Anthropic's own clients before Anthropic's own models: what they say and hear passes through chat and back whole."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anthropic
import orjson
import pytest
from aiohttp import web

from catalog import Backend, Price
from tests.gateway.routes.test_embeddings import serve_by_name
from tests.gateway.running import RunningGateway, running

pytestmark = [
    pytest.mark.loopback,
    pytest.mark.skipif(find_spec("litellm") is None, reason="the extra litellm is not installed"),
]

MODEL = "claude-3-7-sonnet-20250219"  # one that litellm knows to think
CACHED = {"type": "ephemeral"}
TOOL = {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
USAGE = {"input_tokens": 10, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 50}
EVENTS: list[dict[str, Any]] = [
    {
        "type": "message_start",
        "message": {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": MODEL,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {**USAGE, "output_tokens": 1},
        },
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Rain?"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "c2lnbmVk"}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "content_block_start",
        "index": 1,
        "content_block": {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}},
    },
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"city":'}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '"Oslo"}'}},
    {"type": "content_block_stop", "index": 1},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use", "stop_sequence": None},
        "usage": {"output_tokens": 20},
    },
    {"type": "message_stop"},
]


@asynccontextmanager
async def before_anthropic(tmp_path: Path) -> AsyncIterator[tuple[RunningGateway, list[dict[str, Any]]]]:
    """A gateway before a server that speaks Anthropic's dialect, and what that was asked."""
    asked: list[dict[str, Any]] = []

    async def messages(request: web.Request) -> web.StreamResponse:
        asked.append(await request.json())
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for event in EVENTS:
            await response.write(b"event: %b\ndata: %b\n\n" % (event["type"].encode(), orjson.dumps(event)))
        return response

    app = web.Application()
    app.router.add_post("/v1/messages", messages)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    price = Price(
        input_usd_per_mtok=Decimal(3),
        output_usd_per_mtok=Decimal(15),
        cached_input_usd_per_mtok=Decimal("0.3"),
        cache_write_usd_per_mtok=Decimal("3.75"),
    )
    backend = Backend(
        id="claude",
        profile_id="anthropic/claude",
        kind="litellm",
        provider="anthropic",
        model_name=MODEL,
        base_url=f"http://127.0.0.1:{runner.addresses[0][1]}",
        price=price,
    )
    try:
        async with running(
            backend, tmp_path=tmp_path, make_serving=serve_by_name, api_keys={"claude": "sk-test"}
        ) as gateway:
            yield gateway, asked
    finally:
        await runner.cleanup()


async def test_signed_thinking_tools_and_caching_pass_through_whole(tmp_path: Path) -> None:
    async with before_anthropic(tmp_path) as (gateway, asked):
        client = anthropic.AsyncAnthropic(base_url=gateway.url, api_key="x", max_retries=0)
        wanted: dict[str, Any] = {
            "model": "claude",
            "max_tokens": 4_000,
            "system": [{"type": "text", "text": "Be brief.", "cache_control": CACHED}],
            "thinking": {"type": "enabled", "budget_tokens": 1_024},
            "tools": [TOOL],
        }
        turns: list[Any] = [{"role": "user", "content": "Rain in Oslo?"}]
        async with client.messages.stream(messages=turns, **wanted) as stream:
            first = await stream.get_final_message()
        turns += [
            {"role": "assistant", "content": first.content},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "rain"}]},
        ]
        async with client.messages.stream(messages=turns, cache_control=CACHED, **wanted) as stream:
            await stream.get_final_message()

    thought, call = first.content
    assert (thought.type, thought.thinking, thought.signature) == ("thinking", "Rain?", "c2lnbmVk")
    assert (call.type, call.id, call.name, call.input) == ("tool_use", "toolu_1", "weather", {"city": "Oslo"})
    assert first.stop_reason == "tool_use"
    told = first.usage
    assert (told.input_tokens, told.cache_read_input_tokens, told.cache_creation_input_tokens) == (10, 100, 50)
    assert gateway.journal.of("outcome")[0]["cost_usd"] == pytest.approx(
        (10 * 3 + 100 * 0.3 + 50 * 3.75 + 20 * 15) / 1_000_000
    )

    again = asked[1]
    assert again["thinking"] == wanted["thinking"]
    assert again["system"][0]["cache_control"] == CACHED
    past = again["messages"][1]["content"]
    assert {"type": "thinking", "thinking": "Rain?", "signature": "c2lnbmVk"} in past
    (result,) = again["messages"][2]["content"]
    assert (result["tool_use_id"], result["content"], result["cache_control"]) == ("toolu_1", "rain", CACHED)
