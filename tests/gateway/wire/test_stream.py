import time

import orjson
import pytest

from catalog import Usage
from gateway.wire.stream import ChatStream


def chunk(delta: dict[str, object] | None = None, *, finish: str | None = None, **more: object) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return b"data: " + orjson.dumps({"id": "c1", "model": "raw", "choices": choices, **more}) + b"\n\n"


ROLE, WORD, STOP = chunk({"role": "assistant", "content": ""}), chunk({"content": "hi"}), chunk({}, finish="stop")
USAGE = {"prompt_tokens": 7, "completion_tokens": 2}
COUNTS, DONE = chunk(usage=USAGE), b"data: [DONE]\n\n"


def stream(*, wants_usage: bool = False, model_id: str = "raw", explain: bool = False) -> ChatStream:
    return ChatStream(
        model_id=model_id,
        wants_usage=wants_usage,
        explain=explain,
        late_facts=lambda usage, _: {"counted": usage is not None},
    )


def test_nothing_changes_where_nothing_must() -> None:
    reader = stream()
    data = ROLE + WORD + STOP + DONE
    assert reader.take(data) == data
    assert (reader.done, reader.fault, reader.finish_reason, reader.response_id) == (True, None, "stop", "c1")


def test_bytes_may_be_cut_anywhere() -> None:
    data = ROLE + WORD + STOP + DONE
    for size in (1, 2, 3, 7, 50):
        reader = stream()
        out = b"".join(reader.take(data[i : i + size]) for i in range(0, len(data), size))
        assert out == data
        assert reader.done


def test_carriage_returns_may_be_cut_anywhere_too() -> None:
    data = ROLE + WORD + STOP + DONE
    told = data.replace(b"\n", b"\r\n")
    for size in (1, 2, 3, 5, 7, 50):
        reader = stream()
        assert b"".join(reader.take(told[i : i + size]) for i in range(0, len(told), size)) == data
        assert (reader.done, reader.fault) == (True, None)


def test_a_long_event_in_many_pieces_costs_no_more_than_its_length() -> None:
    """Such as a picture. Put together at each piece, 8 MB took half a minute, in which nobody else was answered."""
    picture, reader = chunk({"content": "x" * (8 << 20)}), stream()
    began_s = time.process_time()
    out = b"".join(reader.take(picture[i : i + 4_096]) for i in range(0, len(picture), 4_096))
    assert out == picture
    assert time.process_time() - began_s < 3.0


def test_an_event_that_never_ends_is_a_fault() -> None:
    reader = stream()
    for _ in range(17):
        reader.take(b"data: " + b"x" * (1 << 20))
    assert "larger than" in (reader.fault or "")


def test_carriage_returns_are_understood() -> None:
    reader = stream()
    data = (ROLE + WORD + STOP + DONE).replace(b"\n", b"\r\n")
    for i in range(len(data)):
        reader.take(data[i : i + 1])
    assert reader.done
    assert reader.fault is None


def test_a_byte_order_mark_before_the_first_event_is_none_of_its_words() -> None:
    """.NET's writers put one there; as part of the event it would have cost the answer its first word."""
    reader, mark = stream(), b"\xef\xbb\xbf"
    assert reader.take(mark + WORD + STOP + DONE) == WORD + STOP + DONE
    assert reader.started
    assert stream().take(1_000_000 * mark + WORD) == 999_999 * mark + WORD  # and no more than one


def test_the_role_alone_is_no_content() -> None:
    reader = stream()
    reader.take(ROLE)
    assert not reader.started
    reader.take(WORD)
    assert reader.started


def test_the_answering_model_goes_by_its_catalog_id() -> None:
    reader = stream(model_id="maker/model")
    out = reader.take(
        WORD
        + b'data: {"model": "raw", "choices": [{"index": 0, "delta": {"content": "say \\"model\\":\\"raw\\""}}]}\n\n'
    )
    assert b'"model":"maker/model"' in out
    assert b'say \\"model\\":\\"raw\\"' in out  # what the model says is not ours to change


def test_token_counts_nobody_asked_for_are_read_and_hidden() -> None:
    reader = stream()
    assert reader.take(ROLE + WORD + STOP + COUNTS + DONE) == ROLE + WORD + STOP + DONE
    assert reader.usage == Usage(input_tokens=7, output_tokens=2)


def test_token_counts_in_a_chunk_with_choices_are_read() -> None:
    reader = stream()
    out = reader.take(WORD + chunk({}, finish="stop", usage=USAGE) + DONE)
    assert reader.usage == Usage(input_tokens=7, output_tokens=2)
    assert b"usage" not in out
    assert b'"finish_reason":"stop"' in out


def test_late_facts_travel_with_the_token_counts() -> None:
    reader = stream(wants_usage=True)
    last = reader.take(WORD + STOP + COUNTS + DONE).split(b"\n\n")[-3]
    assert orjson.loads(last.removeprefix(b"data: "))["routing"] == {"counted": True}


def test_an_explanation_comes_even_where_the_backend_counts_nothing() -> None:
    reader = stream(explain=True)
    events = reader.take(WORD + STOP + DONE).split(b"\n\n")
    assert orjson.loads(events[-3].removeprefix(b"data: "))["routing"] == {"counted": False}
    assert events[-2] == b"data: [DONE]"


def test_what_came_before_a_malformed_chunk_still_passes() -> None:
    reader = stream()
    assert reader.take(WORD + b'data: {"choi\n\n' + WORD) == WORD
    assert reader.fault == "sent a malformed chunk"


def test_an_error_in_the_stream_is_a_fault() -> None:
    reader = stream()
    reader.take(WORD + b'data: {"error": {"message": "x"}}\n\n')
    assert reader.fault == "reported an error in the stream"


def test_an_end_before_the_answer_was_finished_is_a_fault() -> None:
    reader = stream()
    reader.take(ROLE + WORD)
    assert reader.finish() == b""
    assert reader.fault == "ended the stream before the answer was finished"


def test_a_missing_end_mark_after_a_finished_answer_is_supplied() -> None:
    reader = stream()
    reader.take(WORD + STOP)
    assert reader.finish() == DONE
    assert reader.done


def test_one_finished_choice_of_two_is_not_the_end() -> None:
    reader = stream()
    other = b'data: {"choices": [{"index": 1, "delta": {"content": "b"}, "finish_reason": null}]}\n\n'
    reader.take(WORD + other + STOP)
    reader.finish()
    assert reader.fault is not None


def test_an_end_mark_without_an_answer_is_a_fault() -> None:
    reader = stream()
    reader.take(DONE)
    assert reader.fault == "ended the stream without an answer"


def test_comments_pass() -> None:
    assert stream().take(b": still here\n\n") == b": still here\n\n"


def test_the_error_that_ends_a_stream_has_no_end_mark() -> None:
    reader = stream()
    reader.take(WORD)
    event = orjson.loads(reader.error_event({"error": {"message": "x"}}).removeprefix(b"data: "))
    assert (event["id"], event["choices"][0]["finish_reason"]) == ("c1", "error")
    assert event["error"] == {"message": "x"}


@pytest.mark.parametrize(
    "choices", [{"0": {}}, ["x"], [{"index": {}}], [{"index": "0", "delta": {}}], [{"index": 0, "delta": "hi"}], "hi"]
)
def test_choices_of_another_shape_are_a_malformed_chunk_and_go_no_further(choices: object) -> None:
    reader = stream()
    passed = reader.take(WORD + b"data: " + orjson.dumps({"id": "c1", "choices": choices}) + b"\n\n" + DONE)
    assert (passed, reader.fault) == (WORD, "sent a malformed chunk")


@pytest.mark.parametrize("size", [1, 2, 1_000])
def test_what_a_client_would_take_for_an_event_is_read_as_one(size: int) -> None:
    """A carriage return ends a line by itself: behind it words would reach the client that nobody here has seen."""
    hidden = chunk({"content": "hidden"}).removesuffix(b"\n\n")
    data = b": a comment\r" + hidden + b"\n\n" + ROLE + b": more\r\r" + hidden + b"\n\n" + STOP + DONE
    reader = stream()
    out = b"".join(reader.take(data[i : i + size]) for i in range(0, len(data), size))
    assert b"\r" not in out
    assert out.count(b'"hidden"') == 2
    assert out.startswith(b": a comment\ndata: ")
    assert reader.started
    assert stream().take(b": a comment\rdata: {no JSON\n\n") == b""
