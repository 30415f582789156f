"""A client that asks for nothing more is let go, when it has been idle for so long, and not before."""

from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from gateway.server.connection import GuardedHttp

REQUEST = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
KEEP_ALIVE_S = 10


class Timer:
    """A callback that is due at some time, unless it is cancelled."""

    def __init__(self, at_s: float, callback: Callable[[], None]) -> None:
        self.at_s, self.callback, self.is_pending = at_s, callback, True

    def cancel(self) -> None:
        self.is_pending = False


class Loop:
    """The part of an event loop that a connection uses, by a clock that the test moves."""

    def __init__(self) -> None:
        self.now_s, self.timers = 100.0, list[Timer]()

    def time(self) -> float:
        return self.now_s

    def call_later(self, wait_s: float, callback: Callable[[], None]) -> Timer:
        self.timers.append(Timer(self.now_s + wait_s, callback))
        return self.timers[-1]

    def create_task(self, coroutine: Coroutine[Any, Any, None]) -> "Loop":
        coroutine.close()
        return self

    def add_done_callback(self, callback: object) -> None:
        """Tasks never end here."""

    def pass_time(self, until_s: float) -> None:
        while due := [timer for timer in self.timers if timer.is_pending and timer.at_s <= until_s]:
            first = min(due, key=lambda timer: timer.at_s)
            self.now_s, first.is_pending = first.at_s, False
            first.callback()
        self.now_s = until_s


class Transport:
    """A connection that is open until it is closed."""

    closed = False

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, name: str) -> None:
        return None


class Client:
    """One client of the protocol, whose requests are answered when the test says so."""

    def __init__(self) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            raise AssertionError("tasks do not run here")

        self.loop, self.transport = Loop(), Transport()
        config = uvicorn.Config(app, http=GuardedHttp, log_config=None, timeout_keep_alive=KEEP_ALIVE_S)
        config.load()
        self.protocol = GuardedHttp(config, ServerState(), {}, _loop=self.loop)
        self.protocol.connection_made(self.transport)  # type: ignore[arg-type]

    def ask(self) -> None:
        self.protocol.data_received(REQUEST)

    def get_answer(self) -> None:
        self.protocol.cycle.response_complete = True
        self.protocol.on_response_complete()


@pytest.fixture
def client() -> Client:
    return Client()


def test_who_asks_no_more_is_let_go_when_it_is_time(client: Client) -> None:
    client.ask()
    client.get_answer()
    client.loop.pass_time(client.loop.now_s + KEEP_ALIVE_S - 0.1)
    assert not client.transport.closed
    client.loop.pass_time(client.loop.now_s + 0.2)
    assert client.transport.closed


def test_who_asks_again_and_again_is_looked_after_by_few_timers(client: Client) -> None:
    for _ in range(1_000):
        client.ask()
        client.get_answer()
        client.loop.pass_time(client.loop.now_s + 0.1)
    assert not client.transport.closed
    assert len(client.loop.timers) <= 3 + 100 / KEEP_ALIVE_S  # the head's, one now and then
    client.loop.pass_time(client.loop.now_s + KEEP_ALIVE_S - 0.2)
    assert not client.transport.closed
    client.loop.pass_time(client.loop.now_s + 0.2)
    assert client.transport.closed


def test_who_waits_for_a_long_answer_is_not_idle(client: Client) -> None:
    client.ask()
    client.get_answer()
    client.ask()
    client.loop.pass_time(client.loop.now_s + 10 * KEEP_ALIVE_S)
    assert not client.transport.closed
    client.get_answer()
    client.loop.pass_time(client.loop.now_s + KEEP_ALIVE_S - 0.1)
    assert not client.transport.closed
    client.loop.pass_time(client.loop.now_s + 0.2)
    assert client.transport.closed


def test_nothing_is_due_for_who_has_left(client: Client) -> None:
    client.ask()
    client.get_answer()
    client.protocol.connection_lost(None)
    assert [timer for timer in client.loop.timers if timer.is_pending] == []
