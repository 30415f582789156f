"""Whatever is sent to a door is understood or refused by name: never a crash, which would be a 500."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog import Backend, ModelProfile, PoolEntry
from gateway.errors import InvalidRequestError
from gateway.wire.body import ChatRequest, read_chat
from gateway.wire.completions import read_completions
from gateway.wire.embeddings import read_embeddings
from gateway.wire.messages.request import read_messages
from gateway.wire.messages.stream import MessagesStream
from gateway.wire.responses.request import read_responses
from gateway.wire.responses.stream import ResponsesStream
from gateway.wire.stream import ChatStream
from predictors import read_query
from tests.gateway.wire.chats import a_reader, asked_by_messages, asked_by_responses, streamed

# Words of the protocols, so that what is drawn often comes close to a request.
NAMES = st.sampled_from(
    """
    model messages input prompt role content type text source data media_type tools name input_schema tool_choice
    function parameters system instructions thinking budget_tokens signature thinking_blocks id tool_use_id call_id
    arguments output metadata user_id stop_sequences max_tokens stream cache_control reasoning effort format schema
    include truncation summary encrypted_content image_url detail file_data is_error edits keep index delta choices
    tool_calls usage finish_reason logprobs reasoning_content refusal
    """.split()  # noqa: SIM905 - a list would be a page
)
WORDS = st.sampled_from(
    """
    user assistant system tool developer message text image document tool_use tool_result thinking redacted_thinking
    base64 url function function_call function_call_output reasoning input_text output_text input_image json_schema
    auto any none required enabled custom stop length pg1.AAAA
    """.split()  # noqa: SIM905 - as above
)
SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=False, allow_infinity=False) | WORDS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5), max_leaves=25
)
READERS: dict[str, tuple[Callable[[bytes], ChatRequest], dict[str, Any]]] = {
    "chat": (read_chat, {"messages": [{"role": "user", "content": "hi"}]}),
    "messages": (read_messages, {"max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}),
    "responses": (read_responses, {"input": "hi"}),
    "completions": (read_completions, {"prompt": "hi"}),
    "embeddings": (read_embeddings, {"input": "hi"}),
}
RECIPIENTS = [
    PoolEntry(
        profile=ModelProfile(id=f"{maker}/m", name="M", capabilities=frozenset({"reasoning"})),
        backend=Backend(id="b", profile_id=f"{maker}/m", kind=kind, provider=maker, model_name="m"),
    )
    for maker, kind in (("anthropic", "litellm"), ("openai", "openai"), ("qwen", "vllm"))
]


@pytest.mark.parametrize("door", list(READERS))
@settings(max_examples=150)
@given(odd=st.dictionaries(NAMES, VALUES, max_size=5), turns=st.lists(VALUES, max_size=3))
def test_an_odd_request_is_understood_or_refused_by_name(door: str, odd: dict[str, Any], turns: list[Any]) -> None:
    read, sound = READERS[door]
    known = {name: value for name, value in odd.items() if name not in sound or not turns}
    history = {name: [*value, *turns] for name, value in sound.items() if isinstance(value, list)}
    try:
        request = read(orjson.dumps({**sound, **history, **known}))
        read_query(request.body)
        for recipient in RECIPIENTS:
            orjson.loads(request.for_backend("m", recipient=recipient))
    except InvalidRequestError as refused:
        assert refused.param  # noqa: PT017 - most are refused, and that is well


UNHASHABLE = [
    {"truncation": []},
    {"include": [{}]},
    {"input": [{"role": []}]},
    {"input": [{"content": [{"type": []}]}]},
]
UNHASHABLE += [{"thinking": {"type": []}}, {"tools": [{"type": {}}]}, {"tool_choice": {"type": []}}]
UNHASHABLE += [{"messages": [{"role": [], "content": "x"}]}, {"service_tier": []}, {"reasoning": {"effort": []}}]


@pytest.mark.parametrize("odd", UNHASHABLE, ids=str)
@pytest.mark.parametrize("door", ["messages", "responses"])
def test_a_list_where_a_word_belongs_is_no_crash(door: str, odd: dict[str, Any]) -> None:
    read, sound = READERS[door]
    with suppress(InvalidRequestError):
        read(orjson.dumps({**sound, **odd}))


@settings(max_examples=150)
@given(deltas=st.lists(st.dictionaries(NAMES, VALUES, max_size=4) | VALUES, max_size=4))
def test_an_odd_stream_is_told_somehow(deltas: list[Any]) -> None:
    reader = ChatStream(model_id="maker/model", wants_usage=True)
    passed = reader.take(streamed(*deltas))
    if reader.fault is None:
        assert b"message_stop" in MessagesStream(asked_by_messages(), a_reader()).take(passed)
        assert b"response.completed" in ResponsesStream(asked_by_responses()).take(passed)
