"""Chat requests in Anthropic's words."""

from typing import Any

import pytest

from gateway.wire.anthropic.answer import JSON_TOOL
from gateway.wire.anthropic.request import UntranslatableError, messages_request

HI = [{"role": "user", "content": "hi"}]
ASKED = {"role": "user", "content": [{"type": "text", "text": "hi"}]}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
CLOSED = {**SCHEMA, "additionalProperties": False}
FORM = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}
TOOL = {"type": "function", "function": {"name": "f", "description": "Does.", "parameters": SCHEMA}}


def told(*, model: str = "claude-sonnet-4-5", messages: list[Any] | None = None, **more: Any) -> dict[str, Any]:
    return messages_request({"model": model, "messages": messages or HI, **more})


def test_the_simplest_chat_is_the_simplest_request() -> None:
    assert told(temperature=0.5, user="u", stream=True) == {
        "model": "claude-sonnet-4-5",
        "max_tokens": 32_000,
        "messages": [ASKED],
        "temperature": 0.5,
        "metadata": {"user_id": "u"},
        "stream": True,
    }


def test_what_anthropic_would_refuse_is_asked_of_another() -> None:
    led = [*HI, {"role": "assistant", "content": "Sure: "}]
    for asked in ({"stop": "\n\n"}, {"stop": ["END", " "]}, {"messages": led, "model": "claude-opus-4-6"}):
        with pytest.raises(UntranslatableError):
            told(**asked)
    assert told(messages=led)["messages"][-1]["content"] == [{"type": "text", "text": "Sure:"}]  # blanks at the end are


def test_of_temperature_and_top_p_the_first_is_said_to_models_that_refuse_both() -> None:
    assert "top_p" not in told(temperature=0.5, top_p=0.9)
    assert told(top_p=0.9)["top_p"] == 0.9
    assert told(model="claude-3-haiku-20240307", temperature=0.5, top_p=0.9)["top_p"] == 0.9


@pytest.mark.parametrize(
    ("model", "most"),
    [
        ("claude-3-haiku-20240307", 4_096),
        ("claude-3-5-sonnet-20241022", 8_192),
        ("claude-opus-4-1", 32_000),
        ("mine", 32_000),
    ],
)
def test_without_a_limit_an_answer_may_be_as_long_as_the_model_can(model: str, most: int) -> None:
    assert told(model=model)["max_tokens"] == most


def test_instructions_stand_apart_wherever_they_were_said() -> None:
    said = [{"role": "developer", "content": "A"}, *HI, {"role": "system", "content": "B"}]
    assert [block["text"] for block in told(messages=said)["system"]] == ["A", "B"]
    alone = told(messages=[{"role": "system", "content": "A"}])
    assert (alone.get("system"), alone["messages"][0]["role"]) == (None, "user")


def test_what_other_models_left_blank_does_not_come_between() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    said = {"role": "assistant", "content": "\n\n", "tool_calls": [call]}
    asked = told(messages=[*HI, said, {"role": "tool", "tool_call_id": "c", "content": "1"}], tools=[TOOL])
    assert [block["type"] for block in asked["messages"][1]["content"]] == ["tool_use"]


def test_results_of_several_calls_stand_in_one_turn_under_names_that_anthropic_takes() -> None:
    calls = [
        {"id": f"functions.f:{n}", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
        for n in (0, 1)
    ]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "ok"} for call in calls]
    asked = told(
        messages=[*HI, {"role": "assistant", "content": None, "tool_calls": calls}, *results, *HI], tools=[TOOL]
    )
    _, assistant, user = asked["messages"]
    assert [(block["id"], block["input"]) for block in assistant["content"]] == [
        ("functions_f_0", {"a": 1}),
        ("functions_f_1", {"a": 1}),
    ]
    assert [block["type"] for block in user["content"]] == ["tool_result", "tool_result", "text"]


def test_past_calls_bring_declarations_where_the_request_has_none() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "oops"}}
    asked = told(messages=[*HI, {"role": "assistant", "tool_calls": [call]}])
    assert [tool["name"] for tool in asked["tools"]] == ["f"]
    assert asked["tool_choice"] == {"type": "none"}
    assert asked["messages"][1]["content"][0]["input"] == {"arguments": "oops"}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", None),
        ("none", {"type": "none"}),
        ("required", {"type": "any"}),
        ({"type": "function", "function": {"name": "f"}}, {"type": "tool", "name": "f"}),
    ],
)
def test_the_choice_of_tools(choice: object, expected: object) -> None:
    asked = told(tools=[TOOL], tool_choice=choice)
    assert asked["tools"] == [{"name": "f", "description": "Does.", "input_schema": SCHEMA}]
    assert asked.get("tool_choice") == expected


def test_one_call_at_a_time_is_said_with_the_choice() -> None:
    asked = told(tools=[TOOL], parallel_tool_calls=False)
    assert asked["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}


def test_an_answer_in_json_is_structured_output_or_the_input_of_a_tool() -> None:
    assert told(response_format=FORM)["output_config"] == {"format": {"type": "json_schema", "schema": CLOSED}}
    older = told(model="claude-sonnet-4-20250514", response_format=FORM)
    assert [tool["name"] for tool in older["tools"]] == [JSON_TOOL]
    assert older["tool_choice"] == {"type": "tool", "name": JSON_TOOL}
    with_tools = told(response_format={"type": "json_object"}, tools=[TOOL])
    assert [tool["name"] for tool in with_tools["tools"]] == ["f", JSON_TOOL]
    assert with_tools["tool_choice"] == {"type": "any"}


@pytest.mark.parametrize(
    ("model", "effort", "expected"),
    [
        ("claude-3-5-sonnet-20241022", "high", (None, None)),
        ("claude-3-7-sonnet-20250219", "low", ({"type": "enabled", "budget_tokens": 2_048}, None)),
        ("claude-sonnet-4-20250514", "medium", ({"type": "enabled", "budget_tokens": 8_192}, None)),
        ("claude-opus-4-6", "high", ({"type": "adaptive"}, {"effort": "high"})),
        ("claude-sonnet-5", "low", ({"type": "adaptive"}, {"effort": "low"})),
        ("claude-opus-4-6", "minimal", (None, None)),
    ],
)
def test_an_effort_is_a_budget_or_an_effort(model: str, effort: str, expected: tuple[object, object]) -> None:
    asked = told(model=model, reasoning_effort=effort, temperature=1)
    assert (asked.get("thinking"), asked.get("output_config")) == expected
    assert ("temperature" in asked) == (expected[0] is None)


def test_models_that_sample_as_they_see_fit_are_not_told_how() -> None:
    newer = told(
        model="claude-opus-4-7", temperature=0, top_p=0.5, thinking={"type": "enabled", "budget_tokens": 2_000}
    )
    assert newer.keys() == {"model", "max_tokens", "messages", "thinking"}
    assert newer["thinking"] == {"type": "adaptive"}
    assert told(model="claude-opus-4-6", temperature=0)["temperature"] == 0


def test_there_is_no_thinking_where_there_is_no_room_for_it_or_a_call_is_forced() -> None:
    assert "thinking" not in told(reasoning_effort="low", max_tokens=500)
    assert told(reasoning_effort="low", max_tokens=2_000)["thinking"]["budget_tokens"] == 1_999
    assert "thinking" not in told(reasoning_effort="low", tools=[TOOL], tool_choice="required")


@pytest.mark.parametrize(
    ("asked", "parameter"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"temperature": 1.5}, "temperature above 1"),
        ({"tools": [{"type": "custom", "custom": {}}]}, "tools of type custom"),
        ({"tools": 3}, "tools that are no list"),
        ({"tools": [TOOL], "tool_choice": {"type": "allowed_tools"}}, "tool_choice of this kind"),
        ({"response_format": {"type": "grammar"}}, "response_format of type grammar"),
        (
            {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]},
            "messages.content of type input_audio",
        ),
    ],
)
def test_what_has_no_word_is_named(asked: dict[str, Any], parameter: str) -> None:
    with pytest.raises(UntranslatableError) as untold:
        told(**asked)
    assert untold.value.parameter == parameter


@pytest.mark.parametrize(
    "asked", [{"n": 1}, {"logprobs": False}, {"presence_penalty": 0}, {"logit_bias": {}}, {"seed": 7}]
)
def test_what_asks_for_nothing_is_let_go(asked: dict[str, Any]) -> None:
    assert told(**asked) == told()
