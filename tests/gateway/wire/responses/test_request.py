"""OpenAI's Responses as chat requests."""

from typing import Any

import orjson
import pytest

from gateway.errors import InvalidRequestError
from gateway.wire.reasoning_signatures import seal
from gateway.wire.responses.request import read_responses
from gateway.wire.translated import TranslatedRequest, fitted


def read(**told: Any) -> TranslatedRequest:
    return read_responses(orjson.dumps({"model": "auto", "input": "hi", **told}))


def call(call_id: str) -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": "f", "arguments": "{}"}


def result(call_id: str, output: object) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": output}


def test_the_simplest_request_is_the_simplest_chat() -> None:
    assert read(instructions="Be brief.", max_output_tokens=9, temperature=0).body == {
        "model": "auto",
        "messages": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "hi"}],
        "max_completion_tokens": 9,
        "temperature": 0,
    }


def test_instructions_of_the_developer_are_the_systems_to_other_servers() -> None:
    assert fitted(read(instructions="x").body, None)["messages"][0]["role"] == "system"


def test_parts_of_a_message_have_their_counterparts() -> None:
    parts = [
        {"type": "input_text", "text": "What is this?"},
        {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"},
    ]
    assert read(input=[{"role": "user", "content": parts}]).body["messages"][0]["content"] == [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"}},
    ]


def test_what_one_turn_did_is_one_message() -> None:
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Looking."}]}
    items = [{"role": "user", "content": "hi"}, said, call("a"), call("b"), result("a", "1"), result("b", "2")]
    messages = read(input=items).body["messages"]
    assert [m["role"] for m in messages] == ["user", "assistant", "tool", "tool"]
    assert messages[1]["content"] == "Looking."
    assert [c["id"] for c in messages[1]["tool_calls"]] == ["a", "b"]
    assert messages[2] == {"role": "tool", "tool_call_id": "a", "content": "1"}


def test_a_picture_that_a_tool_shows_is_shown_by_the_user() -> None:
    output = [{"type": "input_text", "text": "see"}, {"type": "input_image", "image_url": "https://example.org/a.png"}]
    tool, user = read(input=[call("a"), result("a", output)]).body["messages"][1:]
    assert tool["content"] == "see"
    assert user["content"][1] == {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}


def test_pictures_do_not_come_between_the_results_of_one_turn() -> None:
    picture = [{"type": "input_image", "image_url": "https://example.org/a.png"}]
    read_as = read(input=[call("a"), call("b"), result("a", picture), result("b", picture), result("c", "1")])
    assert [message["role"] for message in read_as.body["messages"]] == ["assistant", "tool", "tool", "tool", "user"]
    told = [part["type"] for part in read_as.body["messages"][-1]["content"]]
    assert told == ["text", "image_url", "text", "image_url"]


def test_what_a_model_said_after_its_calls_does_not_come_between_them_and_their_results() -> None:
    said = {"type": "message", "role": "assistant", "content": "Wait."}
    request = read(input=[said, call("a"), said, call("b"), result("a", "1"), result("b", "2")])
    turn, *results = orjson.loads(request.for_backend("m"))["messages"]
    assert (turn["content"], [c["id"] for c in turn["tool_calls"]]) == ("Wait.\nWait.", ["a", "b"])
    assert [message["role"] for message in results] == ["tool", "tool"]


def test_a_result_stands_right_behind_its_call_whatever_came_in_between() -> None:
    """Semantic Kernel says the question, and what the model said, once more between a stored call and its result."""
    question = {"role": "user", "content": "Rain?"}
    said = {"role": "assistant", "content": [{"type": "output_text", "text": "Looking."}]}
    given = [question, call("a"), call("b"), question, said, result("a", "1"), result("b", "2")]
    told = read(input=given).body["messages"]
    assert [message["role"] for message in told] == ["user", "user", "assistant", "assistant", "tool", "tool"]
    assert (told[2]["content"], [c["id"] for c in told[3]["tool_calls"]]) == ("Looking.", ["a", "b"])
    picture = [{"type": "input_image", "image_url": "https://example.org/a.png"}]
    given = [call("a"), call("b"), result("a", picture), question, result("b", "2")]
    told = read(input=given).body["messages"]
    assert [message["role"] for message in told] == ["user", "assistant", "tool", "tool", "user"]
    assert told[-1]["content"][0] == {"type": "text", "text": "Shown by the tool call a:"}


def test_sealed_reasoning_joins_its_turn_and_foreign_reasoning_stays_behind() -> None:
    blocks = [{"type": "thinking", "thinking": "hm", "signature": seal("qwen")}]
    ours = {"type": "reasoning", "summary": [], "encrypted_content": seal("qwen", blocks)}
    foreign = {"type": "reasoning", "summary": [], "encrypted_content": "gAAAA"}
    assert read(input=[ours, call("a"), result("a", "1")]).body["messages"][0]["thinking_blocks"] == blocks
    assert "thinking_blocks" not in read(input=[foreign, call("a"), result("a", "1")]).body["messages"][0]


def test_tools_and_the_form_of_the_answer_keep_their_meaning() -> None:
    schema = {"type": "object"}
    body = read(
        tools=[{"type": "function", "name": "f", "parameters": schema, "strict": True}],
        tool_choice={"type": "function", "name": "f"},
        text={"format": {"type": "json_schema", "name": "n", "schema": schema, "strict": True}, "verbosity": "low"},
        reasoning={"effort": "high", "summary": "auto"},
        include=["message.output_text.logprobs"],
        top_logprobs=2,
    ).body
    function = {"name": "f", "parameters": schema, "strict": True}
    assert body["tools"] == [{"type": "function", "function": function}]
    assert body["tool_choice"] == {"type": "function", "function": {"name": "f"}}
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "n", "schema": schema, "strict": True},
    }
    assert (body["verbosity"], body["reasoning_effort"]) == ("low", "high")
    assert (body["logprobs"], body["top_logprobs"]) == (True, 2)


@pytest.mark.parametrize(
    ("told", "param"),
    [
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"background": True}, "background"),
        ({"n": 2}, "n"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0]"),
        ({"store": "false"}, "store"),
        ({"store": 0}, "store"),
        ({"input": [{"role": "critic", "content": "x"}]}, "input[0].role"),
        ({"text": {"format": {"type": "grammar"}}}, "text.format.type"),
        ({"background": True, "tools": [{"type": "web_search"}]}, "background"),
        ({"input": [{"type": ["message"]}]}, "input[0].type"),
        ({"input": [{"type": {"text": "message"}}], "store": [True]}, "store"),
    ],
)
def test_what_can_be_done_nowhere_is_refused_by_name(told: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        read(**told)
    assert refused.value.param == param


@pytest.mark.parametrize(
    ("told", "param"),
    [
        ({"conversation": "conv_1"}, "conversation"),
        ({"context_management": [{"type": "compaction"}]}, "context_management"),
        ({"max_tool_calls": 2}, "max_tool_calls"),
        ({"reasoning": {"context": "all_turns"}}, "reasoning.context"),
        ({"truncation": "auto"}, "truncation"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tool_choice": {"type": "mcp"}}, "tool_choice.type"),
        ({"include": ["file_search_call.results"]}, "include[0]"),
        ({"input": [{"type": "computer_call"}]}, "input[0].type"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
            "input[0].content[0].file_id",
        ),
        ({"reasoning": {"mood": "calm"}}, "reasoning.mood"),
    ],
)
def test_what_chat_has_no_word_for_is_named_for_those_who_cannot_go_to_openai(told: dict[str, Any], param: str) -> None:
    request = read(**told)
    assert request.refusal is not None
    assert (request.refusal.param, request.protocol) == (param, "openai_responses")
    assert read().refusal is read().protocol is None


def test_what_is_decided_by_is_the_text_of_all_of_it() -> None:
    searched = {"type": "web_search_call", "id": "ws_1", "action": {"type": "search", "query": "weather in Bern"}}
    shown = {"role": "user", "content": [{"type": "input_file", "file_url": "http://h/a.pdf", "filename": "a.pdf"}]}
    tools = [{"type": "web_search"}, {"type": "function", "name": "f", "allowed_callers": ["programmatic"]}]
    body = read(
        input=[searched, shown], tools=tools, truncation="auto", reasoning={"effort": "low", "mood": "calm"}
    ).body
    assert [message["role"] for message in body["messages"]] == ["assistant", "user"]
    assert "weather in Bern" in body["messages"][0]["content"]
    assert "a.pdf" in body["messages"][1]["content"]
    assert body["tools"] == [tools[0], {"type": "function", "function": {"name": "f"}}]
    assert body["reasoning_effort"] == "low"


def test_what_happens_anyway_may_be_asked_for() -> None:
    tool = {"type": "function", "name": "f"}
    usual = read(reasoning={"context": "auto", "mode": "standard"}, tools=[{**tool, "allowed_callers": ["direct"]}])
    assert usual.body == read(tools=[tool]).body
    assert read(client_metadata={"session_id": "s"}).body == read().body  # of Codex
