"""Our way of answering says to the byte what uvicorn's says."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from gateway.server.cycle import Cycle
from gateway.upstreams.fake import Fault, Misbehaviour
from gateway.wire.asgi import Headers, Message, send_bytes
from gateway.wire.body import ChatRequest
from tests.gateway.running import pair


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written, self.closed = b"", False

    def write(self, data: bytes) -> None:
        self.written += data

    def writelines(self, parts: Iterable[bytes]) -> None:
        self.written += b"".join(parts)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


def cycle_on(wire: Wire, *, method: str = "POST", keep_alive: bool = True) -> RequestResponseCycle:
    return RequestResponseCycle(
        scope={"type": "http", "method": method},  # type: ignore[arg-type,typeddict-item]
        transport=wire,  # type: ignore[arg-type]
        flow=FlowControl(wire),  # type: ignore[arg-type]
        logger=logging.getLogger(),
        access_logger=logging.getLogger(),
        access_log=False,
        default_headers=[(b"date", b"today")],
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=keep_alive,
        on_response=lambda: None,
    )


async def said(cycle: RequestResponseCycle, messages: list[dict[str, Any]]) -> tuple[Any, ...]:
    wire: Any = cycle.transport
    try:
        for message in messages:
            await cycle.send(message)  # type: ignore[arg-type]
    except RuntimeError:
        return ("refused", wire.written)
    return wire.written, wire.closed, cycle.keep_alive, cycle.response_complete


def start(status: int, *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def body(content: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": content, "more_body": more}


HEADERS = st.tuples(
    st.one_of(
        st.sampled_from([b"content-length", b"Transfer-Encoding", b"connection", b"x-request-id", b"", b"a b"]),
        st.binary(max_size=4),
    ),
    st.one_of(
        st.sampled_from([b"5", b"chunked", b"close", b"keep-alive, Close", b"req 1\t2", b""]), st.binary(max_size=4)
    ),
)


@given(
    status=st.sampled_from([200, 204, 304, 404, 599]),
    headers=st.lists(HEADERS, max_size=4),
    bodies=st.lists(st.sampled_from([b"", b"hello", b"data: {}\n\n"]), min_size=1, max_size=3),
    method=st.sampled_from(["GET", "POST", "HEAD"]),
    keep_alive=st.booleans(),
)
def test_every_answer_is_to_the_byte_what_uvicorn_would_say(
    status: int, headers: list[tuple[bytes, bytes]], bodies: list[bytes], method: str, keep_alive: bool
) -> None:
    messages = [start(status, *headers)]
    messages += [body(part, more=number + 1 < len(bodies)) for number, part in enumerate(bodies)]

    async def both() -> tuple[object, object]:
        theirs = await said(cycle_on(Wire(), method=method, keep_alive=keep_alive), messages)
        ours = await said(Cycle.of(cycle_on(Wire(), method=method, keep_alive=keep_alive)), messages)
        return theirs, ours

    try:
        theirs, ours = asyncio.run(both())
    except ValueError:
        return  # a content-length that is no number: both fail, the first of them ends the test
    if ours != theirs:  # names of headers are checked more strictly here: RFC 9110 allows tokens only
        assert ours[0] == "refused"
        assert any(not name or not name.isascii() or not is_token(name) for name, _ in headers)


def is_token(name: bytes) -> bool:
    return all(chr(byte).isalnum() or chr(byte) in "!#$%&'*+-.^_`|~" for byte in name)


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: b", b"a\nb", b"a\x00b", b"\x7f"])
async def test_a_header_cannot_smuggle_another(value: bytes) -> None:
    wire = Wire()
    with pytest.raises(RuntimeError, match="control character"):
        await Cycle.of(cycle_on(wire)).send(start(200, (b"x-request-id", value)))
    assert wire.written == b""


@given(
    status=st.sampled_from([200, 204, 404]),
    content=st.sampled_from([b"", b"{}", b"x" * 70_000]),
    headers=st.sampled_from([[], [(b"x-request-id", b"1")], [(b"connection", b"close")]]),
    method=st.sampled_from(["GET", "POST", "HEAD"]),
    keep_alive=st.booleans(),
    has_left=st.booleans(),
)
def test_an_answer_at_once_is_to_the_byte_what_its_messages_say(
    status: int, content: bytes, headers: Headers, method: str, keep_alive: bool, has_left: bool
) -> None:
    async def answered(*, through: bool) -> tuple[object, ...]:
        wire = Wire()
        cycle = Cycle.of(cycle_on(wire, method=method, keep_alive=keep_alive))
        cycle.disconnected = has_left

        async def relay(message: Message) -> None:
            await cycle.send(message)

        await send_bytes(relay if through else cycle.send, status, content, headers)
        return wire.written, wire.closed, cycle.keep_alive, cycle.response_complete

    assert asyncio.run(answered(through=False)) == asyncio.run(answered(through=True))


async def test_who_stands_between_sees_the_messages_of_an_answer() -> None:
    wire, seen = Wire(), list[str]()
    cycle = Cycle.of(cycle_on(wire))

    async def watching(message: Message) -> None:
        seen.append(message["type"])
        await cycle.send(message)

    await send_bytes(watching, 200, b"{}")
    assert seen == ["http.response.start", "http.response.body"]
    assert wire.written.endswith(b"{}")


async def test_an_answer_waits_while_the_client_does_not_read() -> None:
    wire = Wire()
    cycle = Cycle.of(cycle_on(wire))
    cycle.flow.pause_writing()
    answering = asyncio.create_task(send_bytes(cycle.send, 200, b"{}"))
    await asyncio.sleep(0)
    assert wire.written == b""
    cycle.flow.resume_writing()
    await answering
    assert wire.written.endswith(b"{}")


async def test_a_body_is_at_hand_once_it_has_all_come() -> None:
    cycle = Cycle.of(cycle_on(Wire()))
    cycle.body += b"half"
    assert cycle.body_at_hand() is None
    cycle.more_body = False
    assert cycle.body_at_hand() == b"half"


async def test_who_waits_for_a_client_to_leave_is_told_once_also_when_it_has_left_already() -> None:
    told: list[str] = []
    cycle = Cycle.of(cycle_on(Wire()))
    cycle.call_when_gone(lambda: told.append("during"))
    cycle.client_left()
    cycle.client_left()
    cycle.disconnected = True
    cycle.call_when_gone(lambda: told.append("before"))
    assert told == ["during", "before"]


async def test_who_has_answered_is_not_told() -> None:
    told: list[str] = []
    cycle = Cycle.of(cycle_on(Wire()))
    cycle.call_when_gone(lambda: told.append("gone"))
    await said(cycle, [start(200, (b"content-length", b"2")), body(b"ok")])
    cycle.client_left()
    assert told == []


@pytest.mark.parametrize("value", [b"5", b"keep-alive", b"disclosed", b"close", b"x, Close"])
async def test_a_connection_that_ends_is_said_to_end_once(value: bytes) -> None:
    said_ours = await said(
        Cycle.of(cycle_on(Wire(), keep_alive=False)), [start(200, (b"connection", value)), body(b"")]
    )
    assert said_ours == await said(cycle_on(Wire(), keep_alive=False), [start(200, (b"connection", value)), body(b"")])


@asynccontextmanager
async def without_collector() -> AsyncIterator[list[type]]:
    """Kinds of the requests made meanwhile that are still there at the end.

    A client may have its answer a moment before the gateway is done with the request: that moment is waited for.
    """
    left: list[type] = []
    gc.collect()
    gc.freeze()  # what others hold is not looked at
    gc.disable()
    try:
        yield left
        for _ in range(1_000):  # 20 s and more
            left[:] = [type(each) for each in gc.get_objects() if isinstance(each, Cycle | ChatRequest)]
            if ChatRequest not in left:
                break
            await asyncio.sleep(0.02)
    finally:
        gc.enable()
        gc.unfreeze()


@pytest.mark.loopback
@pytest.mark.parametrize("more", [{}, {"stream": True}, {"routing": {"require": {"min_quality": 1.0}}}])
async def test_requests_that_are_over_need_no_garbage_collector_to_be_gone(
    tmp_path: Path, more: dict[str, Any]
) -> None:
    async with pair(tmp_path) as (gateway, _, _):
        await gateway.chat()
        async with without_collector() as left:
            for _ in range(5):
                await gateway.chat(**more)
    assert left == [Cycle]  # the connection's last


@pytest.mark.loopback
@pytest.mark.parametrize(("said", "told"), [(500, 200), (400, 400)])  # another backend takes over, or none would help
async def test_nor_do_requests_at_which_a_backend_failed(tmp_path: Path, said: int, told: int) -> None:
    async with pair(tmp_path) as (gateway, strong, _):
        strong.misbehave(Misbehaviour(fault="status", status=said), times=2)
        async with without_collector() as left:
            answers = [await gateway.chat(routing={"policy": "best"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [told, told]
    assert left == [Cycle]


@pytest.mark.loopback
@pytest.mark.parametrize("fault", ["truncated_stream", "cut_stream", "malformed_chunk", "error_in_stream"])
async def test_nor_do_streams_that_broke_midway(tmp_path: Path, fault: Fault) -> None:
    async with pair(tmp_path) as (gateway, strong, _):
        strong.misbehave(Misbehaviour(fault=fault), times=2)
        async with without_collector() as left:
            answers = [await gateway.chat(stream=True, routing={"policy": "best"}) for _ in range(2)]
    assert all('"finish_reason":"error"' in answer.text for answer in answers)
    assert left == [Cycle]
