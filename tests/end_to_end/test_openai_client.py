"""The official client, unmodified, against a real gateway with the real embedded model."""

import json

import httpx
import openai
import pytest

from tests.waiting import AT_MOST_S

from .conftest import Gateway

pytestmark = [pytest.mark.loopback, pytest.mark.local_model]

HELLO = [{"role": "user", "content": "Say hello."}]
MODEL = "smollm2-135m-instruct"


def test_auto_answers_and_says_who_answered(gateway: Gateway) -> None:
    answer = gateway.client.chat.completions.with_raw_response.create(model="auto", messages=HELLO, max_tokens=8)
    completion = answer.parse()
    assert completion.choices[0].message.content
    assert completion.model.lower().endswith(MODEL)
    assert completion.usage is not None
    assert 0 < completion.usage.completion_tokens <= 8
    assert answer.headers["x-paretogate-model"] == completion.model
    assert answer.headers["x-paretogate-decision-id"]
    assert float(answer.headers["x-paretogate-predicted-cost-usd"]) == 0.0  # it runs on this machine


def test_a_stream_arrives_in_pieces_and_ends(gateway: Gateway) -> None:
    stream = gateway.client.chat.completions.create(
        model="auto", messages=HELLO, max_tokens=12, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text.strip()
    assert any(c.choices and c.choices[0].finish_reason for c in chunks)
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens <= 12


def test_a_concrete_name_is_served_by_that_model(gateway: Gateway) -> None:
    listed = [model.id for model in gateway.client.models.list()]
    assert "auto" in listed
    concrete = next(name for name in listed if name.lower().endswith(MODEL))
    completion = gateway.client.chat.completions.create(model=concrete, messages=HELLO, max_tokens=4)
    assert completion.model == concrete


def test_a_constraint_that_can_be_met_is_met(gateway: Gateway) -> None:
    completion = gateway.client.chat.completions.create(
        model="auto:cheap",
        messages=HELLO,
        max_tokens=4,
        extra_body={"routing": {"require": {"privacy": "local", "max_cost_usd": 0.001}, "explain": True}},
    )
    explained = completion.model_dump()["routing"]
    assert explained["chosen"] == completion.model
    assert explained["chosen"] in explained["front"]


def test_a_constraint_that_cannot_be_met_is_refused_with_the_reason(gateway: Gateway) -> None:
    with pytest.raises(openai.UnprocessableEntityError) as refused:
        gateway.client.chat.completions.create(
            model="auto", messages=HELLO, extra_body={"routing": {"require": {"max_params_b": 0.001}}}
        )
    assert refused.value.code == "no_eligible_model"
    assert "max_params_b" in str(refused.value)


def test_a_server_that_holds_any_model_to_a_schema_is_asked_for_one(gateway: Gateway) -> None:
    number = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    answer = gateway.client.chat.completions.create(
        model="auto",
        messages=[{"role": "user", "content": "Name a number."}],
        max_tokens=40,
        logprobs=True,
        response_format={"type": "json_schema", "json_schema": {"name": "number", "schema": number}},
    )
    assert isinstance(json.loads(answer.choices[0].message.content or "")["n"], int)
    assert answer.choices[0].logprobs is not None


def test_an_unknown_constraint_is_a_bad_request_that_names_it(gateway: Gateway) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        gateway.client.chat.completions.create(
            model="auto", messages=HELLO, extra_body={"routing": {"require": {"max_colour": 3}}}
        )
    assert refused.value.code == "invalid_routing"
    assert "max_colour" in str(refused.value)


def test_an_unknown_model_is_not_found(gateway: Gateway) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        gateway.client.chat.completions.create(model="no-such-model", messages=HELLO)
    assert refused.value.code == "unknown_model"


def test_a_prompt_longer_than_any_window_is_refused_before_anyone_is_asked(gateway: Gateway) -> None:
    endless = [{"role": "user", "content": "word " * 60_000}]
    with pytest.raises(openai.APIStatusError) as refused:
        gateway.client.chat.completions.create(model="auto", messages=endless)
    assert 400 <= refused.value.status_code < 500


def test_malformed_json_is_a_bad_request_in_the_clients_own_shape(gateway: Gateway) -> None:
    answer = httpx.post(
        f"{gateway.url}/v1/chat/completions",
        content=b'{"model": "auto", "messages": [',
        headers={"content-type": "application/json"},
        timeout=30,
    )
    assert answer.status_code == 400
    assert set(answer.json()["error"]) >= {"message", "type", "param", "code"}


def test_a_decision_alone_may_be_about_models_that_nobody_serves_here(gateway: Gateway) -> None:
    body = {"model": "auto", "messages": HELLO, "routing": {"models": {"allow": ["openai/*", "anthropic/*"]}}}
    answer = gateway.post("/routing/v1/chat/completions", body)
    assert answer.status_code == 200, answer.text
    decision = answer.json()
    assert decision["chosen"].startswith(("openai/", "anthropic/"))
    assert decision["chosen"] in decision["front"]
    assert decision["chosen"] in decision["without_backend"]


def test_route_only_asks_no_model(gateway: Gateway) -> None:
    body = {"model": "auto", "messages": HELLO, "routing": {"route_only": True}}
    decision = gateway.post("/v1/chat/completions", body).json()
    assert decision["chosen"].lower().endswith(MODEL)
    assert "choices" not in decision


def test_it_is_alive_ready_and_measured(gateway: Gateway) -> None:
    for path in ("/health/liveliness", "/health/readiness"):
        assert httpx.get(f"{gateway.url}{path}", timeout=AT_MOST_S).status_code == 200
    assert "paretogate_" in httpx.get(f"{gateway.url}/metrics", timeout=AT_MOST_S).text
