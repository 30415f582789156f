"""Personal data: found by its shape, taken out, put back, kept local."""

import asyncio
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog import Backend
from gateway.privacy import Redaction, StreamRestorer, find_personal
from gateway.serving import Serving
from gateway.upstreams.fake import FakeProvider
from tests.gateway import running as fakes
from tests.gateway.anthropic_provider import before_anthropic
from tests.gateway.running import CHAT, backend, pair, running, serve_fixed

MAIL = "jane.doe@example.com"


def seeing(backends: tuple[Backend, ...], *, also: tuple[str, ...] = ()) -> Serving:
    """As usual, of models that see."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("STRONG", "CHEAP"):
            patch.setattr(fakes, name, replace(getattr(fakes, name), modalities_in=frozenset({"text", "image"})))
        return serve_fixed(backends, also=also)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (f"write to {MAIL}, please", "EMAIL"),
        ("call +44 20 7946 0958 tomorrow", "PHONE"),
        ("card 4111 1111 1111 1111", "CARD"),  # Visa's test number, which passes Luhn's check
        ("pay to DE89 3704 0044 0532 0130 00", "IBAN"),  # the example of ISO 13616's registry
        ("ssn 536-90-4399", "SSN"),
        ("host 203.0.113.7 is down", "IP"),
        ("host 2001:db8::8a2e:370:7334 is down", "IP"),
        # what stands beside it does not hide it
        ("card 4111 1111 1111 1111 12/27 123", "CARD"),
        ("in 2024 4111 1111 1111 1111", "CARD"),
        ("no.4111111111111111", "CARD"),
        ("card 4111\u00a01111\u00a01111\u00a01111", "CARD"),
        ("IBAN: DE89 3704 0044 0532 0130 00 BIC COBADEFF", "IBAN"),
        ("iban de89370400440532013000", "IBAN"),
        ("请联系jane@example.com谢谢", "EMAIL"),
        ("an jürgen@exämple.com", "EMAIL"),
        ("https://x.invalid/?to=jane%40example.com", "EMAIL"),
        ("号536-90-4399号", "SSN"),
        ("from:203.0.113.7", "IP"),
        ("203.0.113.7:443 refused", "IP"),
    ],
)
def test_what_has_a_shape_and_passes_its_check_is_found(text: str, kind: str) -> None:
    assert [finding.kind for finding in find_personal(text)] == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "card 4111 1111 1111 1112",  # Luhn's check fails
        "DE89 3704 0044 0532 0130 01",
        "version 1.2.3 of 2024-01-01, 3.14159265358979 and 127.0.0.1",
        "user @home at 10:30, see a[0] and x::y",
    ],
)
def test_what_only_looks_alike_is_left_alone(text: str) -> None:
    assert find_personal(text) == []


def test_a_national_number_needs_to_be_told_its_country() -> None:
    assert find_personal("ring (650) 253-0000") == []
    assert [f.kind for f in find_personal("ring (650) 253-0000", region="US")] == ["PHONE"]


def test_equal_values_get_equal_placeholders_and_nobody_elses() -> None:
    redaction = Redaction(taken="the word [EMAIL_1] is in the prompt")
    assert redaction.redacted(f"{MAIL}, a@b.org, {MAIL}") == "[EMAIL_2], [EMAIL_3], [EMAIL_2]"
    assert redaction.restored("[EMAIL_1] [EMAIL_2] [EMAIL_9]") == f"[EMAIL_1] {MAIL} [EMAIL_9]"


def test_every_place_where_a_history_has_words_is_looked_at() -> None:
    """Refusals come back to the caller with its own data in them, and go out again with the next turn."""
    part = {"type": "refusal", "refusal": f"Not to {MAIL}."}
    file = {"type": "file", "file": {"filename": f"of {MAIL}, signed", "file_data": "data:application/pdf;base64,JVBE"}}
    told = [
        {"role": "assistant", "content": None, "refusal": f"I will not write to {MAIL}."},
        {"role": "assistant", "content": [part], "reasoning_content": f"They want {MAIL}.", "reasoning": MAIL},
        {"role": "user", "content": [file], "name": MAIL},
    ]
    redaction = Redaction()
    cleaned = orjson.dumps(redaction.messages(told)).decode()
    assert MAIL not in cleaned
    assert cleaned.count("[EMAIL_1]") == 6
    assert redaction.found


@pytest.mark.parametrize(
    ("told", "sent"),
    [
        (r'{"to": "jane.doe\u0040example.com", "n": 1.50}', '{"to": "[EMAIL_1]", "n": 1.50}'),
        (r'{"text": "Ask\njane.doe@example.com"}', r'{"text": "Ask\n[EMAIL_1]"}'),  # not \[EMAIL_1], which is no JSON
        (r'["\u002B44 20 7946 0958"]', '["[PHONE_1]"]'),  # as .NET writes it
        ('{"card": 4111111111111111}', '{"card": "[CARD_1]"}'),
        (r'{"body": "{\"to\": \"jane.doe\\u0040example.com\"}"}', r'{"body": "{\"to\": \"[EMAIL_1]\"}"}'),
        (f'{{"{MAIL}": "é\\t"}}', r'{"[EMAIL_1]": "é\t"}'),
        (r'{"path": "C:\\new\u0041"}', r'{"path": "C:\\new\u0041"}'),  # to the byte where there is nothing
        (r'{"half": "jane.doe\u0040example.com', r'{"half": "jane.doe\u0040example.com'),  # no JSON: as it stands
    ],
)
def test_a_text_that_is_json_is_read_as_json_and_stays_json(told: str, sent: str) -> None:
    """A tool's results are, and the arguments of every call."""
    redaction = Redaction()
    assert redaction.redacted(told) == sent
    call = {"type": "function", "function": {"name": "f", "arguments": told}}
    (message,) = redaction.messages([{"role": "assistant", "content": None, "tool_calls": [call]}])
    assert message["tool_calls"][0]["function"]["arguments"] == sent


def test_a_placeholder_stands_for_the_same_whether_it_was_written_with_escapes_or_without() -> None:
    redaction = Redaction()
    assert redaction.redacted(f"to {MAIL}") == "to [EMAIL_1]"
    assert redaction.redacted(r'{"to": "\njane.doe\u0040example.com"}') == r'{"to": "\n[EMAIL_1]"}'
    assert redaction.restored("[EMAIL_1]") == MAIL


def test_many_placeholders_and_many_brackets_are_restored_by_looking_up() -> None:
    redaction = Redaction()
    redaction.redacted(" ".join(f"u{number}@example.com" for number in range(5_000)))
    restorer = StreamRestorer(redaction)
    out = b"".join(restorer.take(_event(content="[" * 50 + "[EMAIL_5000] [EMAIL_5001]")) for _ in range(2_000))
    assert out.count(b"u4999@example.com [EMAIL_5001]") == 2_000


def _event(**delta: object) -> bytes:
    return b"data: " + orjson.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}) + b"\n\n"


END = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


@given(
    st.lists(st.integers(0, 60), max_size=12),
    st.sampled_from(["ask [EMAIL_1] [EMA", "[[EMAIL_1]][", "a[0] = [EMAIL_1]"]),
)
def test_a_placeholder_is_restored_however_a_stream_cuts_it(cuts: list[int], said: str) -> None:
    redaction = Redaction()
    redaction.redacted(MAIL)
    restorer = StreamRestorer(redaction)
    edges = sorted({0, len(said), *(cut % (len(said) + 1) for cut in cuts)})
    out = b"".join(restorer.take(_event(content=said[a:b])) for a, b in pairwise(edges))
    out += restorer.take(END)
    chunks = [orjson.loads(event[6:]) for event in out.split(b"\n\n") if event.startswith(b"data: {")]
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
    assert text == said.replace("[EMAIL_1]", MAIL)


def test_a_tool_calls_arguments_stay_json() -> None:
    redaction = Redaction()
    placeholder = redaction.redacted("o'neil+x@example.com")
    restorer = StreamRestorer(redaction)
    calls = [{"index": 0, "function": {"arguments": part}} for part in ('{"to": "[EM', 'AIL_1]"}')]
    out = b"".join(restorer.take(_event(tool_calls=[call])) for call in calls) + restorer.take(END)
    parts = [orjson.loads(event[6:]) for event in out.split(b"\n\n") if b"arguments" in event]
    said = "".join(p["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"] for p in parts)
    assert placeholder == "[EMAIL_1]"
    assert orjson.loads(said) == {"to": "o'neil+x@example.com"}


@pytest.mark.loopback
@pytest.mark.parametrize("stream", [False, True])
async def test_the_model_never_sees_it_and_the_caller_never_notices(tmp_path: Path, *, stream: bool) -> None:
    settings = {"privacy": {"mode": "redact"}}
    async with (
        FakeProvider(words=("I wrote to [EMA", "IL_1", "] today")) as provider,
        running(backend("cheap", provider.url), tmp_path=tmp_path, settings=settings) as gateway,
    ):
        ask = [{"role": "user", "content": f"write to {MAIL}"}]
        answer = await gateway.chat(messages=ask, stream=stream)
        messages = await gateway.client.post(
            "/v1/messages", json={"model": "auto", "max_tokens": 9, "messages": ask, "stream": stream}
        )
    assert MAIL.encode() not in b"".join(provider.raw_requests)
    assert provider.requests[0]["messages"][0]["content"] == "write to [EMAIL_1]"
    for told in (answer, messages):
        assert told.status_code == 200, told.text
        assert MAIL in told.text
        assert "EMAIL_1" not in told.text


@pytest.mark.loopback
async def test_personal_data_stays_on_local_backends_where_it_must(tmp_path: Path) -> None:
    settings = {"privacy": {"mode": "local"}}
    private = {"messages": [{"role": "user", "content": f"write to {MAIL}"}]}
    async with pair(tmp_path, settings=settings) as (gateway, _, __):
        assert (await gateway.chat()).status_code == 200
        refused = await gateway.chat(**private)
        named = await gateway.chat(**private, model="maker/strong")
    assert refused.json()["error"]["code"] == named.json()["error"]["code"] == "no_eligible_model"
    async with (
        FakeProvider() as remote,
        FakeProvider() as near,
        running(
            backend("strong", remote.url),
            backend("cheap", near.url, privacy="local"),
            tmp_path=tmp_path,
            settings=settings,
        ) as gateway,
    ):
        assert (await gateway.chat(**private)).json()["model"] == "maker/cheap"
        assert remote.requests == []


@pytest.mark.loopback
async def test_what_cannot_be_redacted_stays_local(tmp_path: Path) -> None:
    tool = {"type": "function", "function": {"name": "mail", "description": f"mails {MAIL}"}}
    async with pair(tmp_path, settings={"privacy": {"mode": "redact"}}) as (gateway, strong, cheap):
        completion = await gateway.client.post("/v1/completions", json={"model": "auto", "prompt": f"to {MAIL}"})
        chat = await gateway.client.post(
            CHAT, json={"model": "auto", "messages": [{"role": "user", "content": "x"}], "tools": [tool]}
        )
    assert completion.json()["error"]["code"] == chat.json()["error"]["code"] == "no_eligible_model"
    assert strong.requests == cheap.requests == []


UNREAD = {
    "a field of a message": {"messages": [{"role": "user", "content": "x", "about": {"mail": MAIL}}]},
    "a field of a part": {
        "messages": [{"role": "user", "content": [{"type": "text", "text": "x", "title": f"of {MAIL}"}]}]
    },
    "a part of a kind that nobody knows": {
        "messages": [{"role": "user", "content": [{"type": "record", "record": {MAIL: 1}}]}]
    },
    "the address of a picture": {
        "messages": [
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": f"https://x.org/{MAIL}.png"}}]}
        ]
    },
    "a name in metadata": {"messages": [{"role": "user", "content": "x"}], "metadata": {MAIL: "1"}},
    "JSON in metadata": {
        "messages": [{"role": "user", "content": "x"}],
        "metadata": {"of": r'{"to": "jane.doe\u0040example.com"}'},
    },
}


@pytest.mark.loopback
@pytest.mark.parametrize("body", [pytest.param(body, id=name) for name, body in UNREAD.items()])
async def test_what_nobody_here_can_replace_never_leaves(tmp_path: Path, body: dict[str, object]) -> None:
    async with (
        FakeProvider() as remote,
        FakeProvider() as near,
        running(
            backend("strong", remote.url),
            backend("cheap", near.url, privacy="local"),
            tmp_path=tmp_path,
            settings={"privacy": {"mode": "redact"}},
            make_serving=seeing,
        ) as gateway,
    ):
        answer = await gateway.client.post(CHAT, json={"model": "auto", **body})
        assert answer.status_code == 200, answer.text
    assert remote.requests == []
    assert len(near.requests) == 1


@pytest.mark.loopback
async def test_who_asks_and_what_a_cache_is_found_by_stay_here(tmp_path: Path) -> None:
    ask = [{"role": "user", "content": "x"}]
    named = {"user": MAIL, "safety_identifier": MAIL, "prompt_cache_key": MAIL}
    async with pair(tmp_path, settings={"privacy": {"mode": "redact"}}) as (gateway, strong, _):
        assert (await gateway.chat(model="strong", messages=ask, **named)).status_code == 200
        assert (await gateway.chat(model="strong", messages=ask, prompt_cache_key="k")).status_code == 200
    assert not named.keys() & strong.requests[0].keys()
    assert strong.requests[1]["prompt_cache_key"] == "k"


@pytest.mark.loopback
async def test_what_only_anthropics_own_words_hold_does_not_go_along_either(tmp_path: Path) -> None:
    """Such a request passes as bytes, and with it what chats have no word for."""
    location = {"type": "char_location", "document_index": 0, "document_title": "T", "start_char_index": 0}
    cited = {
        "type": "text",
        "text": "So it says.",
        "citations": [{**location, "end_char_index": 9, "cited_text": MAIL}],
    }
    history = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": [cited]},
        *[{"role": "user", "content": "y"}],
    ]
    plain = {"model": "claude", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}
    picture = {"type": "base64", "media_type": "image/png", "data": "+442079460958+442079460958AAAA"}
    shown = [{"role": "user", "content": [{"type": "image", "source": picture}, {"type": "text", "text": "x"}]}]
    async with before_anthropic(tmp_path, settings={"privacy": {"mode": "redact"}}) as (gateway, provider):
        for body in (
            {"metadata": {"user_id": MAIL}},
            {"messages": history},
            {"metadata": {"user_id": "u"}},
            {"messages": shown},
        ):
            answer = await gateway.client.post("/v1/messages", json={**plain, **body})
            assert answer.status_code == 200, answer.text
    assert MAIL.encode() not in b"".join(provider.raw_requests)
    assert provider.requests[2]["metadata"] == {"user_id": "u"}
    assert provider.requests[3]["messages"] == shown


def test_many_findings_cost_no_more_than_one_by_one() -> None:
    text = "jane.doe@example.com, " * 20_000  # each compared with each took half a minute
    began_s = time.process_time()
    assert len(find_personal(text)) == 20_000
    many = "".join(f"u{number}@example.com, " for number in range(20_000))
    assert "u19999@" not in Redaction(taken=many).redacted(many)
    assert time.process_time() - began_s < 10.0


def test_a_number_behind_many_that_are_none_is_found_too() -> None:
    text = "12345 " * 66_000 + "call +44 20 7946 0958"
    assert [finding.kind for finding in find_personal(text)] == ["PHONE"]


@pytest.mark.loopback
async def test_others_are_answered_while_a_long_prompt_is_looked_through(tmp_path: Path) -> None:
    long = [{"role": "user", "content": "1234567890-" * 80_000}]
    async with pair(tmp_path, settings={"privacy": {"mode": "redact"}}) as (gateway, _, __):
        looked_through = asyncio.create_task(gateway.chat(messages=long, model="strong"))
        answered = 0
        while not looked_through.done():
            await gateway.client.get("/health")
            answered += 1
        assert (await looked_through).status_code == 200
        assert answered >= 10  # four if it were looked through in one go; a thread that takes turns lets pass many more
