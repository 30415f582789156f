"""Anthropic's Messages as chat requests. Pains this answers: BerriAI/litellm#32140, maximhq/bifrost#1354 and #2978."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequestError
from gateway.wire.messages.request import read_messages
from gateway.wire.translated import TranslatedRequest

HI = {"role": "user", "content": "hi"}
CACHED = {"type": "ephemeral"}
PIXEL = {"type": "base64", "media_type": "image/png", "data": "AAAA"}


def read(**told: Any) -> TranslatedRequest:
    return read_messages(orjson.dumps({"model": "auto", "max_tokens": 100, "messages": [HI], **told}))


def turn(role: str, *blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": role, "content": list(blocks)}


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


def test_the_simplest_request_is_the_simplest_chat() -> None:
    assert read(system="Be brief.", temperature=0.5, top_p=0.9, top_k=40).body == {
        "model": "auto",
        "messages": [{"role": "system", "content": "Be brief."}, HI],
        "max_completion_tokens": 100,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 40,
    }


def test_what_claude_code_tells_anthropic_of_itself_is_told_to_nobody_else() -> None:
    """It stands before the instructions and differs each time: no prompt cache knew them again."""
    told = text("x-anthropic-billing-header: cc_version=2.1.197.683; cc_entrypoint=sdk-cli;")
    assert read(system=[told, text("Be brief.")]).body["messages"] == [{"role": "system", "content": "Be brief."}, HI]
    assert read(system=[told]).body["messages"] == [HI]
    with_more = f"{told['text']}\nBe brief."
    assert read(system=[text(with_more)]).body["messages"] == [{"role": "system", "content": with_more}, HI]


def test_what_only_says_how_to_route_comes_along() -> None:
    body = read(routing={"policy": "cheap"}, max_cost=0.01).body
    assert (body["routing"], body["max_cost"]) == ({"policy": "cheap"}, 0.01)


def test_a_stream_asks_for_its_token_counts() -> None:
    request = read(stream=True)
    assert request.stream
    assert request.wants_usage
    assert request.body["stream_options"] == {"include_usage": True}


def test_a_round_of_tools_becomes_calls_and_their_results_in_chats_order() -> None:
    call = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Oslo"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [text("rain"), text("4 degrees")]}
    body = read(messages=[HI, turn("assistant", text("Let me look."), call), turn("user", text("Well?"), result)]).body
    assert body["messages"][1:] == [
        {
            "role": "assistant",
            "content": "Let me look.",
            "tool_calls": [
                {"id": "toolu_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "toolu_1", "content": "rain\n4 degrees"},
        {"role": "user", "content": "Well?"},
    ]


def test_a_failed_tool_is_said_to_have_failed() -> None:
    result = {"type": "tool_result", "tool_use_id": "t", "content": "no such city", "is_error": True}
    assert read(messages=[turn("user", result)]).body["messages"][0]["content"] == "The tool failed:\nno such city"


def test_a_picture_that_a_tool_shows_is_shown_by_the_user() -> None:
    result = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "image", "source": PIXEL}]}
    tool, user = read(messages=[turn("user", result)]).body["messages"]
    assert tool == {"role": "tool", "tool_call_id": "t", "content": ""}
    assert user["content"] == [
        text("Shown by the tool call t:"),
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    ]


def test_pictures_and_documents_come_along() -> None:
    blocks = (
        {"type": "image", "source": {"type": "url", "url": "https://example.org/cat.png"}},
        {"type": "document", "title": "Notes", "source": {"type": "text", "media_type": "text/plain", "data": "abc"}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}},
    )
    assert read(messages=[turn("user", *blocks)]).body["messages"][0]["content"] == [
        {"type": "image_url", "image_url": {"url": "https://example.org/cat.png"}},
        text("Notes\n\nabc"),
        {"type": "file", "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,JVBE"}},
    ]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({"type": "auto"}, {"tool_choice": "auto"}),
        ({"type": "any"}, {"tool_choice": "required"}),
        ({"type": "none"}, {"tool_choice": "none"}),
        ({"type": "tool", "name": "f"}, {"tool_choice": {"type": "function", "function": {"name": "f"}}}),
        (
            {"type": "auto", "disable_parallel_tool_use": True},
            {"tool_choice": "auto", "parallel_tool_calls": False},
        ),
    ],
)
def test_the_choice_of_tools_keeps_its_meaning(said: dict[str, Any], meant: dict[str, Any]) -> None:
    schema = {"type": "object", "properties": {"x": {"type": "integer"}}}
    body = read(tools=[{"name": "f", "description": "d", "input_schema": schema}], tool_choice=said).body
    assert body["tools"] == [{"type": "function", "function": {"name": "f", "description": "d", "parameters": schema}}]
    assert meant.items() <= body.items()


def test_the_other_wishes_have_words_in_chat_too() -> None:
    body = read(
        stop_sequences=["END"],
        metadata={"user_id": "u1"},
        service_tier="standard_only",
        output_config={"effort": "max", "format": {"type": "json_schema", "schema": {"type": "object"}}},
    ).body
    assert (body["stop"], body["user"], body["service_tier"]) == (["END"], "u1", "default")
    assert body["reasoning_effort"] == "xhigh"
    assert body["response_format"]["json_schema"] == {"name": "answer", "schema": {"type": "object"}, "strict": True}


def test_instructions_may_come_midway() -> None:
    told = [HI, turn("system", text("Be brief.")), {"role": "system", "content": "Be kind."}, HI]
    assert read(messages=told).body["messages"][1:3] == [
        {"role": "system", "content": "Be brief."},
        {"role": "system", "content": "Be kind."},
    ]


def test_what_happens_anyway_may_be_asked_for() -> None:
    usual = read(speed="standard", service_tier="auto", diagnostics={"previous_message_id": None}, n=1, mcp_servers=[])
    assert usual.body == {**read().body, "n": 1}
    tool = {"name": "f", "input_schema": {"type": "object"}}
    assert read(tools=[{**tool, "allowed_callers": ["direct"]}]).body == read(tools=[tool]).body
    assert read(fallback_credit_token="t").body == read().body


def test_examples_of_a_tools_input_stand_in_its_description() -> None:
    tool = {"name": "f", "description": "Adds.", "input_schema": {"type": "object"}, "input_examples": [{"a": 1}]}
    (told,) = read(tools=[tool]).body["tools"]
    assert told["function"]["description"] == 'Adds.\nExamples of its input:\n{"a":1}'


def test_a_document_of_texts_is_its_title_its_context_and_its_words() -> None:
    parts = {"type": "content", "content": [text("a"), text("b")]}
    for source in ({"type": "text", "media_type": "text/plain", "data": "a\nb"}, parts):
        document = {"type": "document", "source": source, "title": "T", "context": "C"}
        assert read(messages=[turn("user", document)]).body["messages"] == [
            {"role": "user", "content": "T\n\nC\n\na\nb"}
        ]


@pytest.mark.parametrize(
    ("last", "marked"),
    [
        (HI, {"role": "user", "content": [text("hi", cache_control=CACHED)]}),
        (turn("user", text("a"), text("b")), turn("user", text("a"), text("b", cache_control=CACHED))),
        (
            turn("user", {"type": "tool_result", "tool_use_id": "t", "content": "rain"}),
            {"role": "tool", "tool_call_id": "t", "content": "rain", "cache_control": CACHED},
        ),
    ],
)
def test_a_request_that_is_to_be_cached_is_marked_at_its_end(last: dict[str, Any], marked: dict[str, Any]) -> None:
    assert read(messages=[HI, last], cache_control=CACHED).body["messages"] == [HI, marked]


def test_a_client_that_keeps_all_thinking_asks_for_nothing_special() -> None:
    keep = {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}
    assert "context_management" not in read(context_management=keep).body


@pytest.mark.parametrize(
    ("told", "param"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "developer", "content": "x"}]}, "messages[0].role"),
        ({"messages": [turn("system", {"type": "image", "source": PIXEL})]}, "messages[0].content[0].type"),
        ({"speed": "fast"}, "speed"),
        ({"n": 2}, "n"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages[0].content"),
        ({"messages": [turn("user", {"type": "search_result"})]}, "messages[0].content[0].type"),
        ({"messages": [turn("assistant", {"type": "server_tool_use"})]}, "messages[0].content[0].type"),
        ({"messages": [turn("user", text("a", colour="red"))]}, "messages[0].content[0].colour"),
        (
            {"messages": [turn("user", {"type": "image", "source": {"type": "file", "file_id": "f"}})]},
            "messages[0].content[0].source.type",
        ),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0].type"),
        ({"tools": [{"name": "f"}]}, "tools[0].input_schema"),
        ({"tools": [-0.5]}, "tools[0]"),
        ({"tool_choice": {"type": "some"}}, "tool_choice.type"),
        ({"thinking": {"type": "sometimes"}}, "thinking.type"),
        ({"mcp_servers": [{"url": "x"}]}, "mcp_servers"),
        ({"container": "c"}, "container"),
        ({"thread": {"type": "create"}}, "thread"),
        ({"fallbacks": "default"}, "fallbacks"),
        ({"compaction": {"type": "enabled"}}, "compaction"),
        ({"billing_policy": {"type": "billing_policy", "bill_to": "user_profile"}}, "billing_policy"),
        ({"tools": [{"name": "f", "input_schema": {}, "allowed_callers": ["code"]}]}, "tools[0].allowed_callers"),
        ({"context_management": {"edits": [{"type": "clear_tool_uses"}]}}, "context_management.edits[0]"),
        ({"metadata": {"team": "x"}}, "metadata.team"),
        ({"service_tier": "gold"}, "service_tier"),
        ({"temperature": "hot"}, "temperature"),
        ({"stream": "yes"}, "stream"),
    ],
)
def test_what_has_no_translation_is_refused_by_name(told: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        read(**told).for_backend("m")
    assert refused.value.param == param
    assert str(refused.value).startswith(param)


words = st.text(min_size=1).filter(lambda s: "\x00" not in s)
scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | words
nested = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(words, inner), max_leaves=20)
inputs = st.dictionaries(words, nested, max_size=5)


@given(said=words, name=words, arguments=inputs, result=words)
def test_nothing_of_a_conversation_is_lost(said: str, name: str, arguments: dict[str, Any], result: str) -> None:
    history = [
        turn("user", text(said)),
        turn("assistant", {"type": "tool_use", "id": "t", "name": name, "input": arguments}),
        turn("user", {"type": "tool_result", "tool_use_id": "t", "content": result}),
    ]
    user, assistant, tool = orjson.loads(read(messages=history).for_backend("m"))["messages"]
    call = assistant["tool_calls"][0]["function"]
    assert (user["content"], call["name"], tool["content"]) == (said, name, result)
    assert orjson.loads(call["arguments"]) == arguments
