"""What a call costs: the same streamed or whole, wherever the server says what it counted; never 0 for unknown.

What users of today's gateways suffer from: streamed requests priced at 0, so that no budget ever fires
(BerriAI/litellm#37923), cached tokens lost with the last chunk (#36168), cache writes under-reported (#42663), and a
retired name that a dearer model answers to (RouteWorks/RouterArena#166).
"""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog import Price, Usage
from gateway.upstreams.fake import FakeProvider
from gateway.wire.answer import read_answer
from gateway.wire.messages.answer import message_of
from gateway.wire.messages.stream import MessagesStream
from gateway.wire.responses.answer import response_of
from gateway.wire.responses.stream import ResponsesStream
from gateway.wire.stream import ChatStream
from tests.gateway.governance.test_governor import ask, make_key
from tests.gateway.running import CHAT, HI, RunningGateway, backend, running
from tests.gateway.wire.chats import a_reader, asked_by_messages, asked_by_responses, events_in

PRICE = Price(
    input_usd_per_mtok=Decimal(3),
    output_usd_per_mtok=Decimal(15),
    cached_input_usd_per_mtok=Decimal("0.3"),
    cache_write_usd_per_mtok=Decimal("3.75"),
    reasoning_usd_per_mtok=Decimal(20),
)
COUNTS = st.integers(0, 2_000_000)


@st.composite
def reported(draw: st.DrawFn) -> dict[str, Any]:
    """Token counts in one of the ways in which servers report them, consistent or not."""
    prompt, completion = draw(COUNTS), draw(COUNTS)
    told: dict[str, Any] = {"prompt_tokens": prompt, "completion_tokens": completion}
    if draw(st.booleans()):
        told["total_tokens"] = prompt + completion
    read: dict[str, Any] = {}
    match draw(st.sampled_from(("none", "openai", "deepseek"))):
        case "openai":
            read["cached_tokens"] = draw(COUNTS)
        case "deepseek":
            told["prompt_cache_hit_tokens"] = draw(COUNTS)
    match draw(st.sampled_from(("none", "details", "older", "anthropic"))):
        case "details":
            read["cache_write_tokens"] = draw(COUNTS)
        case "older":
            read["cache_creation_tokens"] = draw(COUNTS)
        case "anthropic":
            told["cache_creation_input_tokens"] = draw(COUNTS)
    if read:
        told["prompt_tokens_details"] = read
    told |= draw(st.sampled_from(({}, {"cost": 0.5}, {"cost": {"total_cost": 0.25}}, {"cost_in_usd_ticks": 10**9})))
    if draw(st.booleans()):
        told["server_tool_use"] = {"web_search_requests": draw(st.integers(0, 100))}
    if draw(st.booleans()):
        told["completion_tokens_details"] = {"reasoning_tokens": draw(COUNTS)}
    return told


def whole(usage: dict[str, Any]) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
    return orjson.dumps({"id": "r", "model": "raw", "choices": [choice], "usage": usage})


def streamed(usage: dict[str, Any], *, where: str) -> bytes:
    """The same answer in chunks; the counts come in a chunk of their own, with the last choice, or all along."""
    deltas = [{"role": "assistant", "content": ""}, {"content": "hi"}, {}]
    chunks: list[dict[str, Any]] = [
        {"id": "r", "model": "raw", "choices": [{"index": 0, "delta": d, "finish_reason": None if d else "stop"}]}
        for d in deltas
    ]
    if where == "own":
        chunks.append({"id": "r", "model": "raw", "choices": [], "usage": usage})
    else:
        chunks[-1]["usage"] = usage
    if where == "all along":
        for number, chunk in enumerate(chunks[:-1]):
            chunk["usage"] = {"prompt_tokens": usage["prompt_tokens"], "completion_tokens": number}
    return b"".join(b"data: " + orjson.dumps(c) + b"\n\n" for c in chunks) + b"data: [DONE]\n\n"


WHERE = st.sampled_from(("own", "with the last choice", "all along"))


@settings(max_examples=300)
@given(usage=reported(), where=WHERE, wants=st.booleans(), size=st.integers(1, 400))
def test_a_streamed_call_costs_exactly_what_the_same_call_costs_whole(
    usage: dict[str, Any], where: str, wants: bool, size: int
) -> None:
    read = read_answer(whole(usage), backend_id="b").usage
    reader = ChatStream(model_id="maker/model", wants_usage=wants)
    data = streamed(usage, where=where)
    for at in range(0, len(data), size):
        reader.take(data[at : at + size])
    assert reader.done
    assert reader.usage == read
    assert isinstance(read, Usage)
    owed = PRICE.cost_usd(read)
    assert owed == PRICE.cost_usd(reader.usage)  # type: ignore[arg-type]
    tokens = (read.input_tokens * Decimal("3.75") + read.output_tokens * 20) / 1_000_000
    assert 0 <= owed <= tokens + read.web_searches * Decimal("0.01")


@settings(max_examples=150)
@given(usage=reported(), where=WHERE)
def test_every_protocol_tells_the_counts_that_were_charged(usage: dict[str, Any], where: str) -> None:
    answer = read_answer(whole(usage), backend_id="b")
    passed = ChatStream(model_id="maker/model", wants_usage=True).take(streamed(usage, where=where))
    charged = answer.usage
    assert charged is not None
    message = message_of(answer, asked_by_messages())["usage"]
    last = events_in(MessagesStream(asked_by_messages(), a_reader()).take(passed))[-2]["usage"]
    assert message == last
    inputs = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    assert sum(message[name] for name in inputs) == charged.input_tokens
    response = response_of(answer, asked_by_responses())["usage"]
    assert response == events_in(ResponsesStream(asked_by_responses()).take(passed))[-1]["response"]["usage"]
    assert response["output_tokens_details"]["reasoning_tokens"] == charged.reasoning_tokens


@pytest.mark.parametrize("absurd", [-1, 1.5, "7", None, True, 2**62, [], {}])
def test_a_count_that_makes_no_sense_is_unknown_and_not_nought(absurd: object) -> None:
    assert read_answer(whole({"prompt_tokens": absurd, "completion_tokens": 3}), backend_id="b").usage is None
    assert read_answer(whole({"prompt_tokens": 3, "completion_tokens": absurd}), backend_id="b").usage is None


DOORS: dict[str, dict[str, Any]] = {
    CHAT: {"messages": HI},
    "/v1/completions": {"prompt": "hi"},
    "/v1/messages": {"max_tokens": 9, "messages": HI},
    "/v1/responses": {"input": "hi"},
}
COUNTED = {
    "prompt_tokens": 1_000,
    "completion_tokens": 50,
    "prompt_tokens_details": {"cached_tokens": 600, "cache_write_tokens": 100},
    "completion_tokens_details": {"reasoning_tokens": 40},
}


async def costs(gateway: RunningGateway, door: str) -> list[float | None]:
    for stream in (False, True):
        answer = await gateway.client.post(door, json={"model": "strong", "stream": stream, **DOORS[door]})
        assert answer.status_code == 200
    return [outcome["cost_usd"] for outcome in gateway.journal.of("outcome")]


@pytest.mark.loopback
@pytest.mark.parametrize("in_last_choice", [False, True])
@pytest.mark.parametrize("door", list(DOORS))
async def test_every_door_charges_alike(tmp_path: Path, door: str, in_last_choice: bool) -> None:
    async with FakeProvider() as strong, running(backend("strong", strong.url), tmp_path=tmp_path) as gateway:
        strong.usage, strong.usage_in_last_choice = COUNTED, in_last_choice
        # 400 tokens at $10 per million, 600 cached at half of it, 50 out at $20; cache writes have no rate of their own
        assert await costs(gateway, door) == [0.008, 0.008]


@pytest.mark.loopback
@pytest.mark.parametrize("door", list(DOORS))
async def test_another_model_than_the_one_asked_is_an_alarm_and_costs_what_nobody_knows(
    tmp_path: Path, door: str
) -> None:
    async with FakeProvider() as strong, running(backend("strong", strong.url), tmp_path=tmp_path) as gateway:
        strong.answers_as = "strong-raw-but-dearer"
        assert await costs(gateway, door) == [None, None]
        metrics = (await gateway.client.get("/metrics")).text
    assert 'paretogate_model_drift_total{backend="strong"} 2.0' in metrics
    assert 'paretogate_unpriced_calls_total{model="maker/strong"} 2.0' in metrics
    assert gateway.journal.of("outcome")[0]["model_returned"] == "strong-raw-but-dearer"


@pytest.mark.loopback
@pytest.mark.parametrize("answers_as", [None, "somebody-else"])
@pytest.mark.parametrize("door", list(DOORS))
async def test_what_a_provider_says_it_charges_is_what_is_owed_whoever_answered(
    tmp_path: Path, door: str, answers_as: str | None
) -> None:
    async with FakeProvider() as strong:
        router = replace(backend("strong", strong.url), provider="openrouter")
        async with running(router, tmp_path=tmp_path) as gateway:
            strong.usage, strong.answers_as = {**COUNTED, "cost": 0.0123, "is_byok": False}, answers_as
            assert await costs(gateway, door) == [0.0123, 0.0123]
            assert [outcome["usage"]["billed_usd"] for outcome in gateway.journal.of("outcome")] == [0.0123, 0.0123]


@pytest.mark.loopback
async def test_a_number_of_unknown_unit_is_no_bill(tmp_path: Path) -> None:
    async with FakeProvider() as strong, running(backend("strong", strong.url), tmp_path=tmp_path) as gateway:
        strong.usage = {**COUNTED, "cost": 0.0123}
        assert await costs(gateway, CHAT) == [0.008, 0.008]


@pytest.mark.loopback
async def test_a_dated_version_of_the_model_is_no_alarm(tmp_path: Path) -> None:
    async with FakeProvider() as strong, running(backend("strong", strong.url), tmp_path=tmp_path) as gateway:
        strong.answers_as = "strong-raw-2024-08-06"
        assert None not in await costs(gateway, CHAT)


@pytest.mark.loopback
@pytest.mark.parametrize("stream", [False, True])
async def test_what_nobody_can_price_is_charged_as_it_was_forecast(tmp_path: Path, stream: bool) -> None:
    """A budget that unknown bills never touch would never fire."""
    key = make_key(tmp_path, budget_usd_per_day=0.5)  # the forecast for strong is $0.2
    async with FakeProvider() as strong, running(backend("strong", strong.url), tmp_path=tmp_path) as gateway:
        strong.answers_as = "another"
        statuses = [(await ask(gateway, key, model="strong", stream=stream)).status_code for _ in range(3)]
    assert statuses == [200, 200, 402]
