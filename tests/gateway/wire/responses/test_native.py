"""What OpenAI gets of a Responses request that only it can answer."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from catalog import Backend, ModelProfile, PoolEntry
from gateway.wire.reasoning_signatures import seal
from gateway.wire.responses.request import ResponsesRequest, read_responses

SEARCH = {"type": "web_search", "search_context_size": "low"}
OURS = "resp_" + "0" * 32


def gpt(model: str = "gpt-4.1", *, provider: str = "openai", most: int | None = None) -> PoolEntry:
    profile = ModelProfile(id=f"openai/{model}", name=model, max_output_tokens=most)
    backend = Backend(
        id="b", profile_id=profile.id, kind="openai", provider=provider, model_name=model, base_url="http://h/v1"
    )
    return PoolEntry(profile=profile, backend=backend)


def read(**told: Any) -> ResponsesRequest:
    return read_responses(orjson.dumps({"model": "auto", "input": "hi", "tools": [SEARCH], **told}))


def sent(request: ResponsesRequest, to: PoolEntry | None = None, **more: Any) -> dict[str, Any]:
    body: dict[str, Any] = orjson.loads(request.for_backend("gpt", recipient=to or gpt(), **more))
    return body


def test_it_gets_the_clients_own_bytes() -> None:
    raw = b'{"tools": [{"type":"web_search"}],  "model":"auto","input":"hi", "store":false}'
    request = read_responses(raw)
    assert request.path(gpt()) == "/responses"
    assert request.for_backend("gpt", recipient=gpt()) == raw.replace(b'"auto"', b'"gpt"')


def test_what_chat_has_words_for_goes_the_usual_way() -> None:
    request = read_responses(b'{"model":"auto","input":"hi"}')
    assert request.path(gpt()) == "/chat/completions"
    assert "messages" in sent(request)


def test_nobody_else_gets_it() -> None:
    request = read()
    assert request.path(gpt(provider="maker")) == "/chat/completions"
    with pytest.raises(type(request.refusal), match="web_search"):  # type: ignore[arg-type] # there is one
        sent(request, gpt(provider="maker"))
    with pytest.raises(type(request.refusal), match="web_search"):  # type: ignore[arg-type]
        sent(request, replacing={"messages": []})


def test_our_keys_stay_here_and_so_does_what_is_in_the_input_by_now() -> None:
    body = sent(read(routing={"policy": "best"}, previous_response_id=OURS), without={"routing"})
    assert body == {"model": "gpt", "input": "hi", "tools": [SEARCH]}


def test_names_that_were_given_here_and_thoughts_of_others_stay_here() -> None:
    own = {"type": "reasoning", "id": "rs_68af", "summary": [], "encrypted_content": "gAAA"}
    called = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    said = {"type": "message", "role": "user", "content": "hi"}
    items = [
        {**said, "id": f"msg_{OURS}_in0"},
        {"type": "reasoning", "id": f"rs_{OURS}_0", "summary": [], "encrypted_content": None},
        {"type": "reasoning", "id": "rs_x", "summary": [], "encrypted_content": seal("deepseek")},
        {**called, "id": f"fc_{OURS}_1"},
        {"type": "function_call_output", "call_id": "c", "output": "3"},
        own,
    ]
    assert sent(read(input=items))["input"] == [said, called, items[4], own]
    assert sent(read(input=[said, own]))["input"] == [said, own]


def test_what_the_model_refuses_it_is_not_told() -> None:
    request = read(temperature=0.2, max_output_tokens=50_000)
    body = sent(request, gpt("gpt-5", most=10_000))
    assert "temperature" not in body
    assert body["max_output_tokens"] == 10_000
    assert len(sent(read(user="u" * 200))["user"]) == 64
    named = sent(read(model="openai/gpt-5", temperature=0.2, max_output_tokens=50_000), gpt("gpt-5", most=10_000))
    assert (named["temperature"], named["max_output_tokens"]) == (0.2, 50_000)


def test_of_the_tools_only_those_that_are_wanted_go_along() -> None:
    first, second = ({"type": "function", "name": name, "parameters": {}} for name in ("first", "second"))
    space = {"type": "namespace", "name": "crm", "tools": [first, second]}
    other = {"type": "namespace", "name": "erp", "tools": [first]}
    request = read(tools=[SEARCH, first, second, space, other])
    asked = {"crm__second", "first"}
    new = {"type": "function", "function": {"name": "third", "parameters": {}}}
    kept = [tool for tool in request.body["tools"] if tool.get("function", {}).get("name") in asked]
    cut = replace(request, body={**request.body, "tools": [SEARCH, *kept, new]})
    added = {"type": "function", "name": "third", "parameters": {}}
    assert sent(cut)["tools"] == [SEARCH, first, {**space, "tools": [second]}, added]
    denied = replace(request, body={**request.body, "tools": kept})  # as where a key may not use what runs at OpenAI
    assert SEARCH not in sent(denied)["tools"]
