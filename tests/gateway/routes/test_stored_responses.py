"""Stored Responses, as OpenAI's client asks for them and goes on from them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from gateway.settings import InvalidSettingsError, load_settings
from gateway.upstreams.fake import FakeProvider, Misbehaviour
from tests.gateway.governance.test_governor import REQUIRED, make_key
from tests.gateway.running import RunningGateway, pair
from tests.gateway.state.servers import RedisServer

pytestmark = pytest.mark.loopback

RESPONSES = "/v1/responses"
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}}
WEATHER = {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": False}


@asynccontextmanager
async def serving(
    tmp_path: Path, **responses: Any
) -> AsyncIterator[tuple[RunningGateway, FakeProvider, openai.AsyncOpenAI]]:
    async with (
        pair(tmp_path, settings={"responses": responses}) as (gateway, strong, _),
        openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="x", max_retries=0) as client,
    ):
        yield gateway, strong, client


def told_to(provider: FakeProvider) -> list[tuple[str, object]]:
    """Roles and texts of the last request."""
    return [(message["role"], message["content"]) for message in provider.requests[-1]["messages"]]


async def test_a_response_is_stored_and_given_again_as_it_was(tmp_path: Path) -> None:
    async with serving(tmp_path) as (_, __, client):
        made = await client.responses.create(model="strong", input="hi", instructions="Be brief.")
        again = await client.responses.retrieve(made.id)
        items = [item async for item in client.responses.input_items.list(made.id)]
    assert made.model_dump()["store"] is True
    assert again == made
    assert [(item.type, item.content[0].text) for item in items] == [("message", "hi")]  # type: ignore[union-attr]


async def test_a_streamed_response_is_stored_before_its_client_knows_that_it_is_complete(tmp_path: Path) -> None:
    async with serving(tmp_path) as (_, strong, client):
        stream = await client.responses.create(model="strong", input="hi", stream=True)
        async for event in stream:
            if event.type == "response.completed":
                again = await client.responses.retrieve(event.response.id)
                assert again.output_text == event.response.output_text == "strong words"
                await client.responses.create(model="strong", input="go on", previous_response_id=again.id)
    assert told_to(strong) == [("user", "hi"), ("assistant", "strong words"), ("user", "go on")]


async def test_a_conversation_goes_on_turn_by_turn_without_its_earlier_instructions(tmp_path: Path) -> None:
    async with serving(tmp_path) as (_, strong, client):
        last = await client.responses.create(model="strong", input="one", instructions="Be brief.")
        for word in ("two", "three"):
            before, last = (
                last,
                await client.responses.create(
                    model="strong", input=word, previous_response_id=last.id, instructions="Be long."
                ),
            )
            assert last.previous_response_id == before.id
        items = [item async for item in client.responses.input_items.list(last.id, order="asc", limit=2)]
    answer = ("assistant", "strong words")
    turns = [("user", "one"), answer, ("user", "two"), answer, ("user", "three")]
    assert told_to(strong) == [("system", "Be long."), *turns]
    assert [item.content[0].text for item in items] == [text for _, text in turns]  # type: ignore[union-attr]
    assert len({item.id for item in items}) == 5


async def test_results_of_calls_go_to_the_calls_of_the_stored_response(tmp_path: Path) -> None:
    async with serving(tmp_path) as (_, strong, client):
        strong.answer_with({"tool_calls": [CALL]}, finish_reason="tool_calls")
        tools: Any = [WEATHER]
        first = await client.responses.create(model="strong", input="Rain?", tools=tools)
        result: Any = [{"type": "function_call_output", "call_id": "call_1", "output": "yes"}]
        await client.responses.create(model="strong", input=result, previous_response_id=first.id, tools=tools)
    asked, call, output = strong.requests[-1]["messages"]
    assert (asked["content"], call["tool_calls"]) == ("Rain?", [CALL])
    assert output == {"role": "tool", "tool_call_id": "call_1", "content": "yes"}


async def test_an_item_may_be_sent_by_its_id(tmp_path: Path) -> None:
    async with serving(tmp_path) as (gateway, strong, client):
        first = await client.responses.create(model="strong", input="hi")
        told: Any = [{"type": "item_reference", "id": first.output[0].id}, {"role": "user", "content": "Again?"}]
        await client.responses.create(model="strong", input=told)
        told[0]["id"] = f"msg_{first.id}_7"
        missing = await gateway.client.post(RESPONSES, json={"input": told})
    assert told_to(strong) == [("assistant", "strong words"), ("user", "Again?")]
    assert (missing.status_code, missing.json()["error"]["code"]) == (400, "item_not_found")
    assert missing.json()["error"]["param"] == "input[0]"


async def test_what_is_deleted_is_gone_and_what_went_on_from_it_is_whole(tmp_path: Path) -> None:
    async with serving(tmp_path) as (gateway, strong, client):
        first = await client.responses.create(model="strong", input="one")
        second = await client.responses.create(model="strong", input="two", previous_response_id=first.id)
        gone = await gateway.client.delete(f"{RESPONSES}/{first.id}")
        assert gone.json() == {"id": first.id, "object": "response", "deleted": True}
        for asked in (client.responses.retrieve(first.id), client.responses.delete(first.id)):
            with pytest.raises(openai.NotFoundError) as absent:
                await asked
            assert absent.value.code == "response_not_found"
        with pytest.raises(openai.BadRequestError) as refused:
            await client.responses.create(model="strong", input="x", previous_response_id=first.id)
        await client.responses.create(model="strong", input="three", previous_response_id=second.id)
    assert (refused.value.code, refused.value.param) == ("previous_response_not_found", "previous_response_id")
    assert [text for _, text in told_to(strong)] == ["one", "strong words", "two", "strong words", "three"]


async def test_another_tenant_finds_nothing(tmp_path: Path) -> None:
    ours, theirs = make_key(tmp_path, tenant="acme"), make_key(tmp_path, tenant="other")
    colleague = make_key(tmp_path, tenant="acme")
    async with pair(tmp_path, settings=REQUIRED) as (gateway, _, __):
        made = (await gateway.client.post(RESPONSES, json={"input": "secret"}, headers=ours)).json()["id"]
        paths = (f"{RESPONSES}/{made}", f"{RESPONSES}/{made}/input_items")
        answers = [await gateway.client.get(path, headers=theirs) for path in paths]
        answers.append(await gateway.client.delete(paths[0], headers=theirs))
        answers.append(await gateway.client.post(f"{paths[0]}/cancel", headers=theirs))
        goes_on = {"input": "x", "previous_response_id": made}
        refused = await gateway.client.post(RESPONSES, json=goes_on, headers=theirs)
        decided = await gateway.client.post(f"/routing{RESPONSES}", json=goes_on, headers=theirs)
        nobody = await gateway.client.get(paths[0])
        shared = await gateway.client.get(paths[0], headers=colleague)
    assert [answer.status_code for answer in answers] == [404] * 4
    assert (refused.status_code, decided.status_code, nobody.status_code) == (400, 400, 401)
    assert shared.json()["id"] == made


async def told_it_is_stored(gateway: RunningGateway, headers: dict[str, str] | None = None, **body: Any) -> bool:
    answer = await gateway.client.post(RESPONSES, json={"input": "hi", **body}, headers=headers)
    told = answer.json()
    found = await gateway.client.get(f"{RESPONSES}/{told['id']}", headers=headers)
    assert found.status_code == (200 if told["store"] else 404)
    return bool(told["store"])


async def test_nothing_is_stored_where_anybody_has_a_reason_against_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as (gateway, _, __):
        assert await told_it_is_stored(gateway)
        assert not await told_it_is_stored(gateway, store=False)
    private = make_key(tmp_path, tenant="acme", privacy="redact")
    async with pair(tmp_path, settings=REQUIRED) as (gateway, _, __):
        assert not await told_it_is_stored(gateway, private)
    async with pair(tmp_path, settings={"privacy": {"mode": "redact"}}) as (gateway, _, __):
        assert not await told_it_is_stored(gateway)
        goes_on = {"model": "auto", "input": "go on", "previous_response_id": "resp_1"}
        refused = (await gateway.client.post(RESPONSES, json=goes_on)).json()["error"]
        assert "none is where personal data is protected" in refused["message"]
    async with serving(tmp_path, max_kb_each=1) as (gateway, _, __):
        assert not await told_it_is_stored(gateway, input="long " * 300)


async def test_without_a_store_every_way_to_ask_for_one_says_so(tmp_path: Path) -> None:
    async with serving(tmp_path, store="off") as (gateway, _, client):
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
        for more in ({"previous_response_id": "resp_1"}, {"input": [{"type": "item_reference", "id": "x"}]}):
            answer = await gateway.client.post(RESPONSES, json={"input": "go on", **more})
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "response_not_stored")


@pytest.mark.parametrize(
    ("method", "path", "param"),
    [
        ("GET", "?stream=true", "stream"),
        ("GET", "/input_items?limit=0", "query.limit"),
        ("GET", "/input_items?order=up", "query.order"),
        ("GET", "/input_items?after=nobody", "after"),
        ("POST", "/cancel", None),
    ],
)
async def test_what_cannot_be_done_with_a_stored_response_is_a_400(
    tmp_path: Path, method: str, path: str, param: str | None
) -> None:
    async with serving(tmp_path) as (gateway, _, client):
        made = await client.responses.create(model="auto", input="hi")
        answer: httpx.Response = await gateway.client.request(method, f"{RESPONSES}/{made.id}{path}")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


async def test_an_answer_that_broke_off_is_not_stored(tmp_path: Path) -> None:
    async with serving(tmp_path) as (gateway, strong, _):
        strong.misbehave(Misbehaviour(fault="truncated_stream"))
        answer = await gateway.client.post(RESPONSES, json={"model": "strong", "input": "hi", "stream": True})
        made = answer.text.split('"id":"resp_')[1][:32]
        found = await gateway.client.get(f"{RESPONSES}/resp_{made}")
    assert found.status_code == 404


async def test_feedback_finds_its_decision_by_the_stored_id(tmp_path: Path) -> None:
    async with serving(tmp_path) as (gateway, _, client):
        made = await client.responses.create(model="auto", input="hi")
    assert gateway.journal.of("outcome")[0]["response_id"] == made.id


async def test_a_restart_forgets_memory_and_not_a_file(tmp_path: Path) -> None:
    kept: dict[str, int] = {}
    for store in ("memory", "sqlite"):
        async with serving(tmp_path, store=store) as (_, __, client):
            made = await client.responses.create(model="auto", input="hi")
        async with serving(tmp_path, store=store) as (gateway, _, __):
            kept[store] = (await gateway.client.get(f"{RESPONSES}/{made.id}")).status_code
    assert kept == {"memory": 404, "sqlite": 200}
    assert (tmp_path / "responses.sqlite3").stat().st_mode & 0o777 == 0o600


async def test_replicas_find_each_others_responses_in_redis_and_answer_when_it_is_gone(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    state = {"state": {"dir": tmp_path, "url": redis_server.url, "timeout_ms": 5_000}}
    async with pair(tmp_path, settings=state) as (one, _, __), pair(tmp_path, settings=state) as (other, strong, __):
        made = (await one.client.post(RESPONSES, json={"model": "strong", "input": "hi"})).json()["id"]
        goes_on = {"model": "strong", "input": "go on", "previous_response_id": made}
        second = await other.client.post(RESPONSES, json=goes_on)
        told = told_to(strong)
        redis_server.kill()
        alone = await other.client.post(RESPONSES, json={"model": "strong", "input": "hi"})
        nobody_knows = await other.client.post(RESPONSES, json=goes_on)
    assert second.status_code == 200
    assert told == [("user", "hi"), ("assistant", "strong words"), ("user", "go on")]
    assert (alone.status_code, alone.json()["store"]) == (200, False)
    assert (nobody_knows.status_code, nobody_knows.json()["error"]["code"]) == (503, "unavailable")


@pytest.mark.parametrize(
    ("told", "complaint"),
    [
        ({"PARETOGATE_RESPONSES__STORE": "redis"}, "responses.store: redis is that of state.url"),
        (
            {"PARETOGATE_RESPONSES__STORE": "memory", "PARETOGATE_SERVER__WORKERS": "2"},
            "several workers share no memory",
        ),
        ({"PARETOGATE_RESPONSES__STORE": "disk"}, "responses.store"),
    ],
)
def test_a_store_that_cannot_be_is_refused_at_the_start(told: dict[str, str], complaint: str) -> None:
    with pytest.raises(InvalidSettingsError, match=complaint):
        load_settings(environ=told)
