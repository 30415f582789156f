"""Custom tools, such as the one by which a coding agent patches files, over models that call functions."""

from typing import Any

import orjson
import pytest

from gateway.errors import InvalidRequestError
from gateway.wire.responses.answer import response_of
from gateway.wire.responses.custom import custom_input
from gateway.wire.responses.request import read_responses
from gateway.wire.responses.stream import ResponsesStream
from tests.gateway.wire.chats import asked_by_responses, events_in, more_arguments, streamed, tool_call, whole

GRAMMAR = {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"}
PATCH = {"type": "custom", "name": "apply_patch", "description": "Edits files.", "format": GRAMMAR}


def read(**told: Any) -> dict[str, Any]:
    return dict(read_responses(orjson.dumps({"model": "m", "input": "hi", **told})).body)


def test_a_custom_tool_is_a_function_of_one_text_that_is_told_its_grammar() -> None:
    body = read(tools=[PATCH], tool_choice={"type": "custom", "name": "apply_patch"})
    function = body["tools"][0]["function"]
    assert function["parameters"]["properties"] == {"input": {"type": "string"}}
    assert function["description"] == "Edits files.\n\nThe input must match this lark grammar:\nstart: /.+/"
    assert body["tool_choice"] == {"type": "function", "function": {"name": "apply_patch"}}


def test_a_grammar_of_an_unknown_kind_is_refused_by_name() -> None:
    with pytest.raises(InvalidRequestError) as refused:
        read(tools=[{**PATCH, "format": {"type": "regex"}}])
    assert refused.value.param == "tools[0].format.type"


def test_its_call_comes_back_as_a_text() -> None:
    message = {"tool_calls": [tool_call("apply_patch", '{"input":"*** Begin \\"x\\""}')]}
    told = response_of(whole(message, "tool_calls"), asked_by_responses(tools=[PATCH]))
    assert told["output"] == [
        {
            "id": "ctc_chatcmpl-1_0",
            "type": "custom_tool_call",
            "status": "completed",
            "call_id": "call_1",
            "name": "apply_patch",
            "input": '*** Begin "x"',
        }
    ]


def test_streamed_its_text_comes_when_it_is_whole() -> None:
    stream = streamed(
        {"tool_calls": [tool_call("apply_patch", "", index=0)]},
        more_arguments(0, '{"input":'),
        more_arguments(0, '"a\\nb"}'),
        finish="tool_calls",
    )
    events = events_in(ResponsesStream(asked_by_responses(tools=[PATCH])).take(stream))
    kinds = [event["type"].removeprefix("response.") for event in events]
    assert kinds[2:-1] == [
        "output_item.added",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.done",
        "output_item.done",
    ]
    assert (events[2]["item"]["input"], events[3]["delta"], events[4]["input"]) == ("", "a\nb", "a\nb")
    assert [event["sequence_number"] for event in events] == list(range(len(events)))


def test_call_and_result_go_back_into_the_conversation() -> None:
    call = {"type": "custom_tool_call", "call_id": "c1", "name": "apply_patch", "input": "a"}
    result = {"type": "custom_tool_call_output", "call_id": "c1", "output": "Done"}
    messages = read(input=[{"role": "user", "content": "hi"}, call, result], tools=[PATCH])["messages"]
    assert messages[1]["tool_calls"][0]["function"] == {"name": "apply_patch", "arguments": '{"input":"a"}'}
    assert messages[2] == {"role": "tool", "tool_call_id": "c1", "content": "Done"}


@pytest.mark.parametrize("said", ["plain words", '{"patch": "a"}', "[1]", '{"input": 3}'])
def test_a_model_that_keeps_to_another_shape_is_told_as_it_said(said: str) -> None:
    assert custom_input(said) == said
