import orjson
import pytest

from catalog import ModelProfile, PoolEntry
from gateway.errors import InvalidRequestError
from gateway.wire.body import read_chat, read_json

HI = '[{"role": "user", "content": "hi"}]'


def problem(raw: bytes | str) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as caught:
        read_chat(raw.encode() if isinstance(raw, str) else raw)
    return caught.value


def test_only_the_model_changes_and_every_other_byte_survives() -> None:
    raw = '{ "model" : "auto",  "messages": ' + HI + ', "x": 1.50, "y": "\\u00e9", "z": 1E5 }'
    sent = read_chat(raw.encode()).for_backend("gpt-x")
    assert sent.decode() == raw.replace('"auto"', '"gpt-x"')


def test_a_stream_is_asked_for_its_token_counts_without_touching_the_rest() -> None:
    raw = b'{"model":"auto","stream":true,"messages":' + HI.encode() + b"}"
    sent = read_chat(raw).for_backend("m")
    assert (
        sent == b'{"stream_options":{"include_usage":true},"model":"m","stream":true,"messages":' + HI.encode() + b"}"
    )


def test_a_client_that_asks_for_token_counts_itself_is_forwarded_as_it_is() -> None:
    raw = b'{"model":"a","stream":true,"stream_options":{"include_usage":true},"messages":' + HI.encode() + b"}"
    request = read_chat(raw)
    assert request.wants_usage
    assert request.for_backend("a") == raw


def test_other_stream_options_stay_when_token_counts_are_added() -> None:
    raw = b'{"model":"a","stream":true,"stream_options":{"x":1},"messages":' + HI.encode() + b"}"
    assert orjson.loads(read_chat(raw).for_backend("a"))["stream_options"] == {"x": 1, "include_usage": True}


def test_our_keys_do_not_reach_the_backend() -> None:
    raw = b'{"model":"auto","messages":' + HI.encode() + b',"routing":{"policy":"cheap"},"seed":7}'
    sent = orjson.loads(read_chat(raw).for_backend("m", without={"routing"}))
    assert sent == {"model": "m", "messages": orjson.loads(HI), "seed": 7}


def test_a_nested_key_of_the_same_name_is_left_alone() -> None:
    raw = b'{"messages":' + HI.encode() + b',"metadata":{"model":"auto"},"model":"auto"}'
    sent = orjson.loads(read_chat(raw).for_backend("m"))
    assert (sent["model"], sent["metadata"]) == ("m", {"model": "auto"})


def test_without_a_model_the_request_is_routed() -> None:
    request = read_chat(b'{"messages":' + HI.encode() + b"}")
    assert request.model == "auto"
    assert orjson.loads(request.for_backend("m"))["model"] == "m"


@pytest.mark.parametrize(
    ("raw", "param"),
    [
        ('{"model": 3, "messages": ' + HI + "}", "model"),
        ('{"messages": []}', "messages"),
        ('{"messages": "hi"}', "messages"),
        ('{"messages": [3]}', "messages[0]"),
        ('{"messages": [{"content": "hi"}]}', "messages[0].role"),
        ('{"messages": [{"role": "user", "content": 3}]}', "messages[0].content"),
        ('{"messages": ' + HI + ', "max_tokens": 0}', "max_tokens"),
        ('{"messages": ' + HI + ', "max_tokens": 123456789012345678901234567890}', "max_tokens"),
        ('{"messages": ' + HI + ', "max_tokens": true}', "max_tokens"),
        ('{"messages": ' + HI + ', "n": 9007199254740993}', "n"),
        ('{"messages": ' + HI + ', "temperature": "hot"}', "temperature"),
        ('{"messages": ' + HI + ', "stream": "yes"}', "stream"),
        ('{"messages": ' + HI + ', "stream_options": 1}', "stream_options"),
    ],
)
def test_a_wrong_field_is_named(raw: str, param: str) -> None:
    assert problem(raw).param == param


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"null",
        b"[1]",
        b'{"messages": [{"role": "user", "content": "\xff"}]}',
        b'{"messages": [{"role": "user", "content": "\\ud800"}]}',
        b'{"messages": [{"role": "user", "content": "\\u0000"}]}',
        b'{"messages": [{"role": "user", "content": "\x00"}]}',
        b'{"messages": [{"role": "user", "content": NaN}]}',
        b'{"x": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"x": ' + b"[" * 500 + b"]" * 500 + b"}",
    ],
)
def test_what_is_no_sound_json_object_is_refused(raw: bytes) -> None:
    assert problem(raw).code == "invalid_json"


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    read_chat(b'{"messages": [{"role": "user", "content": "\\\\u0000"}]}')


def test_signed_reasoning_goes_to_its_author_and_to_nobody_else() -> None:
    block = '{"type": "thinking", "thinking": "hm", "signature": "EqQB"}'
    answer = '{"role": "assistant", "content": "yes", "thinking_blocks": [' + block + "]}"
    raw = '{"model": "m", "messages": [' + HI[1:-1] + ", " + answer + "]}"
    author, other = (PoolEntry(profile=ModelProfile(id=f"{who}/m", name="M")) for who in ("anthropic", "openai"))
    assert orjson.loads(read_chat(raw.encode()).for_backend("m", recipient=author)) == orjson.loads(raw)
    sent = orjson.loads(read_chat(raw.encode()).for_backend("m", recipient=other))
    assert sent["messages"][1] == {"role": "assistant", "content": "yes"}


@pytest.mark.parametrize("text", ["[" * 200, '\\"' + "{" * 200, '"[\\' + "[" * 200, "\\" * 7 + '"' + "[" * 200])
def test_brackets_in_texts_are_no_depth(text: str) -> None:
    body = {"messages": [{"role": "user", "content": text}], "tools": [{}] * 200}
    assert read_chat(orjson.dumps(body)).body == body


@pytest.mark.parametrize(("levels", "fine"), [(100, True), (101, False)])
def test_a_body_is_nested_a_hundred_levels_deep_at_most(levels: int, fine: bool) -> None:
    raw = b'{"a\\"[": ' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"
    if fine:
        read_json(raw)
        return
    with pytest.raises(InvalidRequestError, match="nested deeper than 100 levels"):
        read_json(raw)
