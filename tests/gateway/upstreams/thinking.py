"""A conversation with a Claude that signs its thoughts and calls a tool: every way to Anthropic must carry it whole."""

from dataclasses import dataclass
from typing import Any

import anthropic
from anthropic.types import Message

from tests.gateway.anthropic_provider import FakeAnthropic

__all__ = ["CACHED", "CALL", "COUNTS", "THOUGHT", "TOOL", "Conversation", "converse", "let_it_think"]

CACHED = {"type": "ephemeral"}
TOOL = {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
THOUGHT = {"type": "thinking", "thinking": "Rain?", "signature": "c2lnbmVk"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Oslo"}}
COUNTS = {"input_tokens": 10, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 50}


@dataclass
class Conversation:
    """What the client said every time, its turns, and the first answer that it got."""

    wanted: dict[str, Any]
    turns: list[dict[str, Any]]
    first: Message


def let_it_think(provider: FakeAnthropic) -> None:
    """It answers with a thought and a call."""
    provider.blocks, provider.stop_reason, provider.counts = [THOUGHT, CALL], "tool_use", COUNTS


async def converse(client: anthropic.AsyncAnthropic) -> Conversation:
    """Ask, and bring back the call's result together with the thought, in a second request."""
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
        {"role": "assistant", "content": [block.to_dict() for block in first.content]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "rain"}]},
    ]
    async with client.messages.stream(messages=turns, cache_control=CACHED, **wanted) as stream:
        await stream.get_final_message()
    return Conversation(wanted, turns, first)
