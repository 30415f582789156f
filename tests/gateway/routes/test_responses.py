"""The door of OpenAI's Responses over real sockets."""

from pathlib import Path

import openai
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
    assert {k: v for k, v in last.items() if k not in {"created_at", "routing", "id", "output"}} == {
        k: v for k, v in whole.items() if k not in {"created_at", "id", "output"}
    }
    (message,) = last["output"]
    assert [{**message, "id": whole["output"][0]["id"]}] == whole["output"]
    assert strong.requests[0] == {"model": "strong-raw", "messages": [{"role": "user", "content": "hi"}]}
    first, second = gateway.journal.of("outcome")
    assert first["cost_usd"] == second["cost_usd"] == last["routing"]["cost_usd"]
    assert (first["response_id"], second["response_id"]) == (whole["id"], last["id"])


async def test_a_decision_alone_asks_nobody(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, strong, cheap):
        answer = await gateway.client.post(f"/routing{RESPONSES}", json={"model": "auto:best", "input": "hi"})
    assert answer.json()["models"] == ["maker/strong", "maker/cheap"]
    assert strong.requests == cheap.requests == []


async def test_tokens_are_counted_with_those_of_what_is_gone_on_from(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, strong, _):
        client = openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="x")
        first = await client.responses.create(model="strong", input="hi")
        alone = await client.responses.input_tokens.count(model="strong", input="and now?")
        onward = await client.responses.input_tokens.count(
            model="strong", input="and now?", previous_response_id=first.id
        )
        with pytest.raises(openai.NotFoundError, match="gpt-99"):
            await client.responses.input_tokens.count(model="gpt-99", input="hi")
    assert alone.object == "response.input_tokens"
    assert 0 < alone.input_tokens < onward.input_tokens
    assert len(strong.requests) == 1
