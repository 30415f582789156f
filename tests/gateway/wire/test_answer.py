import orjson
import pytest

from catalog import Usage
from gateway.errors import UpstreamProtocolError
from gateway.wire.answer import read_answer

RAW = (
    b'{ "id":"r1", "model": "raw", "choices":[{"index":0,"finish_reason":"tool_calls","message":{"role":"assistant",'
    b'"tool_calls":[{"function":{"name":"look","arguments":"{}"}}]}}], "usage":{"prompt_tokens":3,'
    b'"completion_tokens":2}, "odd": 1.50 }'
)


def test_an_answer_tells_its_facts() -> None:
    answer = read_answer(RAW, backend_id="b")
    assert (answer.response_id, answer.model_returned, answer.finish_reason) == ("r1", "raw", "tool_calls")
    assert answer.usage == Usage(input_tokens=3, output_tokens=2)
    assert answer.tools_called == ("look",)


def test_only_the_name_of_the_model_changes() -> None:
    assert read_answer(RAW, backend_id="b").for_client("maker/m") == RAW.replace(b'"raw"', b'"maker/m"')


def test_an_explanation_is_added_where_asked_for() -> None:
    body = orjson.loads(read_answer(RAW, backend_id="b").for_client("maker/m", {"chosen": "maker/m"}))
    assert (body["model"], body["routing"], body["odd"]) == ("maker/m", {"chosen": "maker/m"}, 1.5)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"  ",
        b"{",
        b"[]",
        b"{}",
        b'{"choices": []}',
        b'{"choices": [1]}',
        b'{"error": {"message": "x"}}',
        b"<html>",
    ],
)
def test_what_is_no_answer_is_refused(raw: bytes) -> None:
    with pytest.raises(UpstreamProtocolError):
        read_answer(raw, backend_id="b")
