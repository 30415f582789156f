"""The door of OpenAI's Responses over real sockets."""

from pathlib import Path

import pytest

from tests.gateway.running import pair
from tests.gateway.wire.chats import events_in

pytestmark = pytest.mark.loopback

RESPONSES = "/v1/responses"


async def test_a_streamed_response_ends_as_the_whole_one(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, strong, _):
        body = {"model": "auto", "input": "hi", "store": False, "routing": {"policy": "best"}}
        whole = (await gateway.client.post(RESPONSES, json=body)).json()
        streamed = events_in((await gateway.client.post(RESPONSES, json={**body, "stream": True})).content)
    last = streamed[-1]["response"]
    assert whole["output"][0]["content"][0]["text"] == "strong words"
    assert {k: v for k, v in last.items() if k not in {"created_at", "routing"}} == {
        k: v for k, v in whole.items() if k != "created_at"
    }
    assert strong.requests[0] == {"model": "strong-raw", "messages": [{"role": "user", "content": "hi"}]}
    first, second = gateway.journal.of("outcome")
    assert first["cost_usd"] == second["cost_usd"] == last["routing"]["cost_usd"]
    assert first["response_id"] == whole["id"]


async def test_a_decision_alone_asks_nobody(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, strong, cheap):
        answer = await gateway.client.post(f"/routing{RESPONSES}", json={"model": "auto:best", "input": "hi"})
    assert answer.json()["models"] == ["maker/strong", "maker/cheap"]
    assert strong.requests == cheap.requests == []
