"""Anthropic's door over real sockets, before fake providers that speak OpenAI's dialect."""

from pathlib import Path
from typing import Any

import pytest

from gateway.upstreams.fake import Misbehaviour
from tests.gateway.running import HI, RunningGateway, pair
from tests.gateway.wire.chats import events_in

pytestmark = pytest.mark.loopback

MESSAGES = "/v1/messages"


async def ask(gateway: RunningGateway, path: str = MESSAGES, **body: Any) -> Any:
    return await gateway.client.post(path, json={"model": "auto:best", "max_tokens": 9, "messages": HI, **body})


async def test_a_message_is_answered_and_accounted_for(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, strong, _):
        answer = await ask(gateway, system="Be brief.", stop_sequences=["END"])
    told = answer.json()
    assert (told["type"], told["model"], told["content"][0]["text"]) == ("message", "maker/strong", "strong words")
    assert answer.headers["x-paretogate-model"] == "maker/strong"
    assert strong.requests[0] == {
        "model": "strong-raw",
        "messages": [{"role": "system", "content": "Be brief."}, *HI],
        "max_tokens": 9,
        "stop": ["END"],
    }
    outcome = gateway.journal.of("outcome")[0]
    assert (outcome["status"], outcome["response_id"]) == ("ok", told["id"])
    # two messages are 20 tokens: 16 plain ones at $10/M, 4 cached ones at $5/M, 2 out at $20/M
    assert outcome["cost_usd"] == pytest.approx(0.00022)


async def test_a_streamed_message_costs_what_a_whole_one_costs(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, _, __):
        streamed = events_in((await ask(gateway, stream=True)).content)
        whole = (await ask(gateway)).json()
    first, second = gateway.journal.of("outcome")
    assert streamed[-2]["usage"] == whole["usage"]
    assert first["cost_usd"] == second["cost_usd"] == pytest.approx(0.00012)
    assert streamed[-2]["routing"]["cost_usd"] == first["cost_usd"]


async def test_every_way_of_saying_how_to_route_works_here_too(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, _, cheap):
        answers = [
            await ask(gateway, model="auto:cheap"),
            await ask(gateway, model="auto", routing={"policy": "cheap"}),
            await ask(gateway, model="auto", max_cost=0.01),
            await gateway.client.post(
                MESSAGES,
                json={"model": "auto", "max_tokens": 9, "messages": HI},
                headers={"x-paretogate-policy": "cheap"},
            ),
        ]
    assert {answer.json()["model"] for answer in answers} == {"maker/cheap"}
    assert all(request.keys() == {"model", "messages", "max_tokens"} for request in cheap.requests)


async def test_an_explanation_comes_with_the_message(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, _, __):
        whole = await ask(gateway, routing={"explain": True})
        streamed = events_in((await ask(gateway, routing={"explain": True}, stream=True)).content)
    assert whole.json()["routing"]["chosen"] == streamed[-2]["routing"]["chosen"] == "maker/strong"


async def test_a_decision_alone_asks_nobody(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, strong, cheap):
        for path, wish in ((MESSAGES, {"route_only": True}), (f"/routing{MESSAGES}", {})):
            answer = await ask(gateway, path, routing=wish)
            assert answer.json()["models"] == ["maker/strong", "maker/cheap"]
    assert strong.requests == cheap.requests == []
    assert gateway.journal.records == []


@pytest.mark.parametrize("path", [MESSAGES, f"{MESSAGES}/count_tokens"])
@pytest.mark.parametrize("body", [{}, {"stream": True}, {"messages": []}])
async def test_the_requests_id_is_where_anthropics_clients_look_for_it(
    tmp_path: Path, path: str, body: dict[str, Any]
) -> None:
    async with pair(tmp_path) as (gateway, _, __):
        answer = await ask(gateway, path, **body)
    assert answer.headers["request-id"] == answer.headers["x-request-id"]
    assert answer.headers["request-id"].startswith("req_")


async def test_tokens_are_counted_in_those_of_the_named_model(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, strong, _):
        counts = [
            (await gateway.client.post(f"{MESSAGES}/count_tokens", json={"model": model, "messages": HI})).json()
            for model in ("auto", "strong")
        ]
    assert counts[0] == counts[1]  # neither backend has measured a ratio of its own
    assert 1 < counts[0]["input_tokens"] < 10
    assert strong.requests == []


@pytest.mark.parametrize(
    ("path", "body", "status", "kind", "says"),
    [
        (MESSAGES, {"max_tokens": None}, 400, "invalid_request_error", "max_tokens"),
        (MESSAGES, {"routing": {"polcy": "x"}}, 400, "invalid_request_error", "routing.polcy"),
        (MESSAGES, {"model": "gpt-99"}, 404, "not_found_error", "gpt-99"),
        (MESSAGES, {"routing": {"require": {"min_quality": 1}}}, 422, "invalid_request_error", "min_quality"),
        (f"/routing{MESSAGES}", {"model": "gpt-99"}, 404, "not_found_error", "gpt-99"),
        (f"{MESSAGES}/count_tokens", {"model": "gpt-99"}, 404, "not_found_error", "gpt-99"),
        (f"{MESSAGES}/count_tokens", {"messages": []}, 400, "invalid_request_error", "messages"),
    ],
)
async def test_a_refusal_has_anthropics_shape(
    tmp_path: Path, path: str, body: dict[str, Any], status: int, kind: str, says: str
) -> None:
    async with pair(tmp_path) as (gateway, _, __):
        answer = await ask(gateway, path, **body)
    told = answer.json()
    assert (answer.status_code, told["type"], told["error"]["type"]) == (status, "error", kind)
    assert says in told["error"]["message"]
    assert told["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b'{"messages": 1e999}', b"[" * 100_000])
async def test_what_is_not_json_is_a_400_in_anthropics_shape(tmp_path: Path, raw: bytes) -> None:
    async with pair(tmp_path) as (gateway, _, __):
        answer = await gateway.client.post(MESSAGES, content=raw)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")


async def test_what_the_model_says_about_the_request_is_passed_on(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, strong, _):
        strong.misbehave(Misbehaviour(fault="status", status=400))
        answer = await ask(gateway)
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "as you wish")
