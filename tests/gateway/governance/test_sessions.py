"""Which conversation a request belongs to."""

from typing import Any

import pytest

from gateway.governance import sessions
from gateway.governance.sessions import conversation_of

BODY: dict[str, Any] = {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "hi"}]}
LATER = [*BODY["messages"], {"role": "assistant", "content": "yes?"}, {"role": "user", "content": "more"}]

# In the order in which they count: each request says this one and all that come after it.
SAYINGS: list[tuple[dict[str, str], dict[str, Any]]] = [
    ({"x-session-id": "1"}, {}),
    ({"x-conversation-id": "2"}, {}),
    ({"x-claude-code-session-id": "3"}, {}),
    ({}, {"metadata": {"user_id": "4"}}),
    ({}, {"prompt_cache_key": "5"}),
    ({"x-model-affinity": "6"}, {}),
]


@pytest.mark.parametrize("first", range(len(SAYINGS)))
def test_of_several_names_the_first_counts(first: int) -> None:
    headers = {name: value for said, _ in SAYINGS[first:] for name, value in said.items()}
    body = {**BODY, **{name: value for _, said in SAYINGS[first:] for name, value in said.items()}}
    alone = conversation_of({**BODY, **SAYINGS[first][1]}, SAYINGS[first][0], given=None)
    assert conversation_of(body, headers, given=None) == alone
    assert alone.has_past


def test_what_is_meant_for_us_stays_readable_and_all_else_is_a_digest() -> None:
    assert conversation_of(BODY, {"x-session-id": "jane"}, explicit="mine", given=None).session_id == "mine"
    assert "jane" not in conversation_of(BODY, {"x-session-id": "jane"}, given=None).session_id


def test_a_body_in_another_protocol_names_its_user_in_its_own_words() -> None:
    told = {"metadata": {"user_id": "u"}}
    assert conversation_of(BODY, {}, given=told) == conversation_of({**BODY, **told}, {}, given=None)


def test_without_a_name_a_conversation_is_known_by_how_it_began() -> None:
    first, later = conversation_of(BODY, {}, given=None), conversation_of({"messages": LATER}, {}, given=None)
    assert first.session_id == later.session_id
    assert (first.has_past, later.has_past) == (False, True)
    other_tools = conversation_of({**BODY, "tools": [{"type": "function"}]}, {}, given=None)
    assert other_tools.session_id != first.session_id


LONG = "word " * 20_000


@pytest.mark.parametrize(
    "other",
    ["x" + LONG, LONG + "x", LONG[1:], [{"type": "text", "text": LONG + "x"}], [{"type": "text", "text": LONG}] * 2],
)
def test_long_beginnings_are_told_apart_by_their_ends_and_lengths(other: object) -> None:
    def named(content: object) -> str:
        return conversation_of({"messages": [{"role": "user", "content": content}]}, {}, given=None).session_id

    assert named(LONG) == named(LONG)
    assert named(other) not in {named(LONG), named([{"type": "text", "text": LONG}])}


def test_tools_are_told_apart_by_their_names_and_number_in_either_shape() -> None:
    def named(*tools: object) -> str:
        return conversation_of({**BODY, "tools": list(tools)}, {}, given=None).session_id

    def chat(name: str) -> dict[str, Any]:
        return {"type": "function", "function": {"name": name, "description": LONG}}

    many = [chat(f"tool{number}") for number in range(1_000)]
    assert len({named(chat("a")), named(chat("b")), named({"name": "a"}, {"name": "b"}), named("odd", {})}) == 4
    assert named(*many) == named(*many)
    assert named(*many) not in {named(*many[:-1]), named(*many[:-1], chat("other"))}


@pytest.mark.parametrize("megabytes", [1, 8])
def test_what_names_a_conversation_is_short_however_long_it_begins(
    megabytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = []
    monkeypatch.setattr(sessions, "_digest", lambda source, value: hashed.append(value) or source)
    picture = {"type": "image_url", "image_url": {"url": "data:" + "A" * (megabytes << 20)}}
    tool = {"type": "function", "function": {"name": "t", "description": "A" * (megabytes << 20)}}
    conversation_of({"messages": [{"role": "user", "content": [picture] * 100}], "tools": [tool]}, {}, given=None)
    assert len(hashed[0]) < 1 << 20


def test_a_picture_that_begins_a_conversation_tells_it_from_another() -> None:
    def named(picture: str) -> str:
        parts = [{"type": "text", "text": "what is this?"}, {"type": "image_url", "image_url": {"url": picture}}]
        return conversation_of({"messages": [{"role": "user", "content": parts}]}, {}, given=None).session_id

    assert len({named("data:" + "A" * 9_000), named("data:" + "A" * 8_999 + "B"), named("http://h/1")}) == 3
