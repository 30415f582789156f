"""Chunks known at sight mean what they would have meant when parsed."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.alike import AlikeChunks
from gateway.wire.stream import ChatStream


def event(delta: object, *, finish: str | None = None, index: int = 0, **more: object) -> bytes:
    choices = [{"index": index, "delta": delta, "finish_reason": finish}]
    return b"data: " + orjson.dumps({"id": "c1", "model": "raw", "choices": choices, **more})


class NothingAlike(AlikeChunks):
    def has(self, event: bytes) -> bool:
        return False


def outcome(events: list[bytes], alike: AlikeChunks) -> dict[str, Any]:
    reader = ChatStream(model_id="raw", wants_usage=False)
    reader._alike = alike
    told = reader.take(b"\n\n".join([*events, b""]))
    state = {name: value for name, value in vars(reader).items() if name not in {"_alike", "_late_facts"}}
    return {**state, "told": told}


WORDS = st.text(max_size=5) | st.sampled_from(['"', "\\", '"content":"', "\n", "é", "plain"])
EVENTS = st.one_of(
    WORDS.map(lambda words: event({"content": words})),
    WORDS.map(lambda words: event({"content": words}, index=1)),
    WORDS.map(lambda words: event({"content": words}, finish="stop")),
    WORDS.map(lambda words: event({"role": "assistant", "content": words})),
    WORDS.map(lambda words: event({"content": words}, usage={"prompt_tokens": 1, "completion_tokens": 2})),
    WORDS.map(lambda words: event({"content": words}, error={"message": words})),
    WORDS.map(lambda words: event({"tool_calls": [{"function": {"name": words}}]})),
    WORDS.map(lambda words: event({"content": words})[:-1]),  # malformed
    WORDS.map(lambda words: b"event: x\n" + event({"content": words})),
    st.just(b"data: [DONE]"),
)


@given(st.lists(EVENTS, max_size=8))
def test_a_stream_is_read_the_same_with_and_without_them(events: list[bytes]) -> None:
    assert outcome(events, AlikeChunks()) == outcome(events, NothingAlike())


def test_only_words_may_differ() -> None:
    alike = AlikeChunks()
    alike.learn(event({"content": "one"}), [{"index": 0, "delta": {"content": "one"}, "finish_reason": None}])
    assert alike.has(event({"content": "two"}))
    assert alike.has(event({"content": ""}))
    for other in (
        event({"content": 'a "quoted" word'}),
        event({"content": "one"}, index=1),
        event({"content": "x"})[:-2],
    ):
        assert not alike.has(other)
    alike.forget()
    assert not alike.has(event({"content": "two"}))


@pytest.mark.parametrize("delta", [{"role": "assistant", "content": "x"}, {"content": None}, {}, None])
def test_what_bears_more_or_less_than_words_is_never_known_at_sight(delta: dict[str, object] | None) -> None:
    alike = AlikeChunks()
    alike.learn(event(delta), [{"index": 0, "delta": delta, "finish_reason": None}])
    assert not alike.has(event(delta))
