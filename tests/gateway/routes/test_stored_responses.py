"""What clients ask of stored Responses, where none is stored."""

from pathlib import Path

import openai
import pytest

from tests.gateway.running import pair

pytestmark = pytest.mark.loopback


async def test_nothing_is_stored_and_every_way_to_ask_for_it_says_so(tmp_path: Path) -> None:
    async with (
        pair(tmp_path) as (gateway, _, __),
        openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="x", max_retries=0) as client,
    ):
        made = await client.responses.create(model="auto", input="hi", store=True)
        assert made.model_dump()["store"] is False
        for asked in (
            client.responses.retrieve(made.id),
            client.responses.delete(made.id),
            client.responses.cancel(made.id),
            client.responses.input_items.list(made.id)._get_page(),
        ):
            with pytest.raises(openai.NotFoundError, match="send the whole conversation in input") as caught:
                await asked
            assert caught.value.code == "response_not_stored"


async def test_a_response_that_goes_on_from_a_stored_one_is_refused_by_name(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, _, __):
        answer = await gateway.client.post("/v1/responses", json={"input": "go on", "previous_response_id": "resp_1"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "previous_response_id")
