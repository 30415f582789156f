"""Legacy completions, passed through or asked as a chat."""

from typing import Any

import orjson
import pytest

from catalog import Backend, BackendKind, ModelProfile, PoolEntry
from gateway.errors import ErrorReply, InvalidRequestError
from gateway.wire.answer import read_answer
from gateway.wire.completions import CompletionRequest, CompletionsStream, completion_of, read_completions
from tests.gateway.wire.chats import USAGE, asked_by_messages, streamed, whole


def read(**told: Any) -> CompletionRequest:
    return read_completions(orjson.dumps({"model": "auto", "prompt": "Once", **told}))


def candidate(kind: BackendKind) -> PoolEntry:
    backend = Backend(id="b", profile_id="maker/model", kind=kind, provider="maker", model_name="m")
    return PoolEntry(profile=ModelProfile(id="maker/model", name="Model"), backend=backend)


def test_a_server_that_continues_prompts_gets_the_clients_own_bytes() -> None:
    request, server = read(echo=True, logprobs=3), candidate("vllm")
    assert request.path(server) == "/completions"
    assert request.for_backend("m", recipient=server) == request.raw.replace(b'"auto"', b'"m"')


def test_any_other_is_asked_as_a_chat() -> None:
    request, server = read(max_tokens=5, stream=True), candidate("openai")
    assert request.path(server) == "/chat/completions"
    assert orjson.loads(request.for_backend("m", recipient=server)) == {
        "model": "m",
        "messages": [{"role": "user", "content": "Once"}],
        "max_tokens": 5,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize(
    ("told", "param"),
    [
        ({"prompt": ["a", "b"]}, "prompt"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"suffix": "end"}, "suffix"),
        ({"logprobs": 2}, "logprobs"),
        ({"best_of": 3}, "best_of"),
        ({"echo": True}, "echo"),
        ({"logprobs": 0}, "logprobs"),
        ({"logprobs": 1}, "logprobs"),
    ],
)
def test_what_a_chat_cannot_do_is_refused_by_name(told: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        read(**told).for_backend("m", recipient=candidate("openai"))
    assert refused.value.param == param


@pytest.mark.parametrize(
    ("kind", "told"),
    [(kind, told) for kind in ("embedded", "llama_cpp", "ollama") for told in ({"echo": True}, {"best_of": 2})]
    + [(kind, {"suffix": "end"}) for kind in ("embedded", "llama_cpp")],
)
def test_what_a_server_would_pass_over_is_refused_by_name(kind: BackendKind, told: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError, match="pass over it") as refused:
        read(**told).for_backend("m", recipient=candidate(kind))
    assert [refused.value.param] == list(told)


def test_ollama_fills_in_before_a_suffix() -> None:
    assert orjson.loads(read(suffix="end").for_backend("m", recipient=candidate("ollama")))["suffix"] == "end"


@pytest.mark.parametrize(
    ("asked", "able"),
    [
        (  # lm-eval 0.4 asks so how likely an answer is
            {"prompt": [[1, 2, 3]], "temperature": 0, "max_tokens": 1, "logprobs": 1, "seed": 1234, "echo": True},
            {"vllm"},
        ),
        ({"best_of": 2}, {"vllm"}),
        ({"suffix": "end"}, {"vllm", "ollama"}),
        ({"logprobs": 1}, {"vllm", "ollama", "llama_cpp", "embedded"}),
    ],
)
def test_a_completion_needs_somebody_who_does_all_of_it(asked: dict[str, Any], able: set[str]) -> None:
    kinds: tuple[BackendKind, ...] = ("vllm", "ollama", "llama_cpp", "embedded", "openai")
    backends = [(kind, candidate(kind).backend) for kind in kinds]
    needed = read(**asked).protocol
    assert {kind for kind, backend in backends if backend is not None and needed in backend.abilities} == able


def test_what_asks_for_nothing_is_no_obstacle() -> None:
    plain, request = read(), read(echo=False, best_of=1, logprobs=None, suffix=None)
    chat = candidate("openai")
    assert request.for_backend("m", recipient=chat) == plain.for_backend("m", recipient=chat)


@pytest.mark.parametrize("prompt", [None, "", [], 3])
def test_a_prompt_is_needed(prompt: object) -> None:
    with pytest.raises(InvalidRequestError, match="prompt"):
        read(prompt=prompt)


def test_a_chat_answer_is_told_as_a_completion() -> None:
    assert completion_of(whole({"content": " upon"}), asked_by_messages()) == {
        "id": "chatcmpl-1",
        "object": "text_completion",
        "created": 1,
        "model": "maker/model",
        "choices": [{"index": 0, "text": " upon", "logprobs": None, "finish_reason": "stop"}],
        "usage": USAGE,
    }


def test_a_completion_needs_no_telling() -> None:
    body = {"id": "c", "choices": [{"index": 0, "text": " upon", "finish_reason": "stop"}]}
    assert completion_of(read_answer(orjson.dumps(body), backend_id="b"), asked_by_messages()) is None


def test_a_streamed_chat_is_told_as_completion_chunks() -> None:
    out = CompletionsStream(asked_by_messages()).take(streamed({"role": "assistant"}, {"content": " upon"}))
    *chunks, end = [event.removeprefix(b"data: ") for event in out.split(b"\n\n") if event]
    told = [orjson.loads(chunk) for chunk in chunks]
    assert end == b"[DONE]"
    assert {chunk["object"] for chunk in told} == {"text_completion"}
    assert "".join(c["text"] for chunk in told for c in chunk["choices"]) == " upon"
    assert told[-1]["usage"] == USAGE


def test_a_failure_is_said_in_band() -> None:
    reply = ErrorReply(status=502, kind="api_error", code="upstream_failed", message="no")
    event = CompletionsStream(asked_by_messages()).error(reply, request_id="r")
    chunk = orjson.loads(event.removeprefix(b"data: "))
    assert (chunk["error"]["code"], chunk["choices"][0]["finish_reason"]) == ("upstream_failed", "error")
