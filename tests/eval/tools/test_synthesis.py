import json
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from eval.errors import EvalError, InvalidReplayError
from eval.tools.synthesis import http_chat, read_made, write_made
from predictors.tools.synthesis import SyntheticRequest

MADE = SyntheticRequest(query="é", tool_ids=("a", "b"), model="m", recipe="r", registry_digest="d")


def client(answer: httpx.Response) -> httpx.Client:
    return httpx.Client(base_url="http://model.example/v1", transport=httpx.MockTransport(lambda _: answer))


def test_what_was_made_is_read_back_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "made.jsonl"
    assert read_made(path) == []
    write_made(path, MADE)
    write_made(path, MADE)
    assert read_made(path) == [MADE, MADE]


@pytest.mark.parametrize("query", ["one\u2028two", "one\x85two", "half a \ud83d"])
def test_whatever_a_model_said_is_gone_on_with(query: str, tmp_path: Path) -> None:
    path, made = tmp_path / "made.jsonl", replace(MADE, query=query)
    write_made(path, made)
    with path.open("a", encoding="utf-8") as lines:  # as it was written once
        lines.write('{"query": "a\u2028b", "tool_ids": ["a"], "model": "m", "recipe": "r", "registry_digest": "d"}\n')
    assert [request.query for request in read_made(path)] == [query, "a\u2028b"]


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "made.jsonl"
    write_made(path, MADE)
    with path.open("a") as lines:
        lines.write('{"query": "torn\n')
    with pytest.raises(InvalidReplayError, match="line 2"):
        read_made(path)


def test_a_chat_endpoint_is_asked_as_openai_defines_it() -> None:
    seen: list[dict] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append({"url": str(request.url), **json.loads(request.content)})
        return httpx.Response(200, json={"choices": [{"message": {"content": "hello"}}]})

    http = httpx.Client(base_url="http://model.example/v1", transport=httpx.MockTransport(answer))
    assert http_chat(http, model="m")("hi") == "hello"
    assert seen[0]["url"] == "http://model.example/v1/chat/completions"
    assert (seen[0]["model"], seen[0]["messages"]) == ("m", [{"role": "user", "content": "hi"}])
    assert "stop" not in seen[0]


def test_a_model_that_is_asked_for_one_line_after_earlier_turns_sees_them_and_stops_there() -> None:
    seen: list[dict] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(json.loads(request.content))
        return httpx.Response(200, json={"choices": [{"message": {"content": "hello"}}]})

    http = httpx.Client(base_url="http://model.example/v1", transport=httpx.MockTransport(answer))
    assert http_chat(http, model="m", one_line=True)("hi", [("a", "b")]) == "hello"
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "hi"}]
    assert seen[0]["messages"] == turns
    assert (seen[0]["stop"], seen[0]["max_tokens"]) == (["\n"], 80)


@pytest.mark.parametrize(
    "answer", [httpx.Response(500), httpx.Response(200, text="no json"), httpx.Response(200, json={"choices": []})]
)
def test_an_endpoint_that_gives_no_completion_is_an_error_that_says_so(answer: httpx.Response) -> None:
    with pytest.raises(EvalError, match="gave no chat completion"):
        http_chat(client(answer), model="m")("hi")


@pytest.mark.parametrize("torn", [b'{"query": "what is th', b'{"query": "\xc3'])
def test_a_line_torn_by_a_kill_or_a_full_disk_is_dropped_and_the_rest_goes_on(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "made.jsonl"
    write_made(path, MADE)
    path.write_bytes(path.read_bytes() + torn)
    assert read_made(path) == [MADE]
    write_made(path, MADE)
    assert read_made(path) == [MADE, MADE]


def test_a_last_line_that_an_editor_left_without_its_end_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "made.jsonl"
    write_made(path, MADE)
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    assert read_made(path) == [MADE]
    write_made(path, MADE)
    assert read_made(path) == [MADE, MADE]
