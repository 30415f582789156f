"""What a request says of thinking reaches the forecast, the explanation and the journal through every door."""

from pathlib import Path
from typing import Any

import pytest

from tests.gateway.running import HI, pair

pytestmark = pytest.mark.loopback

CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"
HIGH = {"effort": "high", "budget_tokens": None}
OFF = {"effort": "off", "budget_tokens": None}


@pytest.mark.parametrize(
    ("path", "said", "told"),
    [
        (CHAT, {"messages": HI}, None),
        (CHAT, {"messages": HI, "reasoning_effort": "high"}, HIGH),
        (CHAT, {"messages": HI, "reasoning": {"effort": "minimal"}}, OFF),
        (CHAT, {"messages": HI, "thinking": {"type": "disabled"}}, OFF),
        (CHAT, {"messages": HI, "chat_template_kwargs": {"enable_thinking": False}}, OFF),
        (
            MESSAGES,
            {"messages": HI, "max_tokens": 4_000, "thinking": {"type": "enabled", "budget_tokens": 2_000}},
            {"effort": "medium", "budget_tokens": 2_000},
        ),
        (
            MESSAGES,
            {"messages": HI, "max_tokens": 9, "thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}},
            HIGH,
        ),
        (RESPONSES, {"input": "Why?", "reasoning": {"effort": "high"}}, HIGH),
        (RESPONSES, {"input": "Why?", "reasoning": {"effort": "none"}}, OFF),
    ],
)
async def test_every_door_tells_what_was_said_of_thinking(
    tmp_path: Path, path: str, said: dict[str, Any], told: dict[str, Any] | None
) -> None:
    async with pair(tmp_path) as (gateway, _, __):
        answer = await gateway.client.post(path, json={"model": "auto:best", **said, "routing": {"explain": True}})
    assert answer.status_code == 200
    assert answer.json()["routing"]["thinking"] == told
    assert gateway.journal.of("decision")[0]["query"].get("thinking") == told
