"""Anthropic's own clients before Anthropic's own models: what they say and hear passes through chat and back whole."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import anthropic
import pytest

from tests.gateway.anthropic_provider import FakeAnthropic, claude
from tests.gateway.routes.test_embeddings import serve_by_name
from tests.gateway.running import running

from .thinking import CACHED, THOUGHT, converse, let_it_think

pytestmark = [
    pytest.mark.loopback,
    pytest.mark.skipif(find_spec("litellm") is None, reason="the extra litellm is not installed"),
]

MODEL = "claude-3-7-sonnet-20250219"  # one that litellm knows to think


async def test_signed_thinking_tools_and_caching_pass_through_whole(tmp_path: Path) -> None:
    async with FakeAnthropic() as provider:
        let_it_think(provider)
        provider.last_counts = {"output_tokens": 20}
        own = replace(claude(provider.url.removesuffix("/v1")), kind="litellm", model_name=MODEL)
        keys = {"claude": "sk-ant-test"}
        async with running(own, tmp_path=tmp_path, make_serving=serve_by_name, api_keys=keys) as gateway:
            said = await converse(anthropic.AsyncAnthropic(base_url=gateway.url, api_key="x", max_retries=0))

    thought, call = said.first.content
    assert (thought.type, thought.thinking, thought.signature) == ("thinking", "Rain?", "c2lnbmVk")
    assert (call.type, call.id, call.name, call.input) == ("tool_use", "toolu_1", "weather", {"city": "Oslo"})
    assert said.first.stop_reason == "tool_use"
    told = said.first.usage
    assert (told.input_tokens, told.cache_read_input_tokens, told.cache_creation_input_tokens) == (10, 100, 50)
    assert gateway.journal.of("outcome")[0]["cost_usd"] == pytest.approx(
        (10 * 3 + 100 * 0.3 + 50 * 3.75 + 20 * 15) / 1_000_000
    )

    again = provider.requests[1]
    assert again["thinking"] == said.wanted["thinking"]
    assert again["system"][0]["cache_control"] == CACHED
    assert THOUGHT in again["messages"][1]["content"]
    (result,) = again["messages"][2]["content"]
    assert (result["tool_use_id"], result["content"], result["cache_control"]) == ("toolu_1", "rain", CACHED)
