import numpy as np
import pytest

from gateway.tools.calls.observing import observed_in, packed, unpacked


def conversation(*results: str) -> list[dict[str, object]]:
    calls = [
        {"id": f"c{at}", "type": "function", "function": {"name": f"tool{at}", "arguments": "{}"}}
        for at in range(len(results))
    ]
    return [
        {"role": "user", "content": "Find it"},
        {"role": "assistant", "content": None, "tool_calls": calls},
        *({"role": "tool", "tool_call_id": f"c{at}", "content": text} for at, text in enumerate(results)),
    ]


def test_results_tell_which_calls_worked() -> None:
    seen = observed_in(conversation("42", "Error: no such file", "The tool failed:\nno"))
    assert seen is not None
    assert seen.asked == "Find it"
    assert seen.calls == (("tool0", True), ("tool1", False), ("tool2", False))


def test_results_are_seen_once_in_the_request_that_brings_them() -> None:
    answered = [*conversation("42"), {"role": "assistant", "content": "It is 42."}]
    assert observed_in(answered) is None
    assert observed_in([*answered, {"role": "user", "content": "Thanks"}]) is None


@pytest.mark.parametrize("messages", [None, [], [3], [{"role": "tool", "tool_call_id": "c", "content": "x"}]])
def test_what_is_no_conversation_tells_nothing(messages: object) -> None:
    assert observed_in(messages) is None


@pytest.mark.parametrize("calls", [5, [5], [{"id": {}, "function": {"name": "a"}}], [{"id": "c", "function": 3}], "x"])
@pytest.mark.parametrize("call_id", ["c", {}, [1], None])
def test_calls_that_cannot_be_read_tell_nothing(calls: object, call_id: object) -> None:
    turns = [{"role": "user", "content": "Find it"}, {"role": "assistant", "tool_calls": calls}]
    observed_in([*turns, {"role": "tool", "tool_call_id": call_id, "content": "42"}])


def test_calls_of_custom_tools_are_seen_too() -> None:
    calls = [{"id": "c", "type": "custom", "custom": {"name": "patch", "input": "x"}}]
    turns = [{"role": "user", "content": "Mend it"}, {"role": "assistant", "tool_calls": calls}]
    seen = observed_in([*turns, {"role": "tool", "tool_call_id": "c", "content": "Done"}])
    assert seen is not None
    assert seen.calls == (("patch", True),)


def test_a_vector_survives_its_record() -> None:
    vector = np.array([0.6, 0.8], dtype=np.float32)
    assert unpacked(packed(vector)) == pytest.approx(vector, abs=1e-3)


@pytest.mark.parametrize("text", ["", "!", "AAA="])
def test_what_is_no_vector_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        unpacked(text)
