"""A server that is told to stop, on real sockets: nobody whom the system has let in is reset."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateway.server.listening import open_socket, server_config, watched_often
from gateway.server.stopping import PatientServer
from tests.waiting import AT_MOST_S

pytestmark = pytest.mark.loopback

ASKED = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
HELD = b"GET /held HTTP/1.1\r\nhost: x\r\n\r\n"


@dataclass
class Running:
    server: PatientServer
    address: tuple[str, int]
    is_held: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=30)


@contextmanager
def a_server() -> Iterator[Running]:
    """In a thread; who asks for /held holds up its event loop, so that nobody is taken from the queue meanwhile."""
    pytest.importorskip("uvloop")

    async def app(scope: Any, _: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        if scope["path"] == "/held":
            found.is_held.set()
            found.go_on.wait(AT_MOST_S)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    door = open_socket("127.0.0.1", 0)
    address, config = door.getsockname(), server_config(app)
    config.lifespan = "off"
    found = Running(server=PatientServer(config), address=address)
    thread = threading.Thread(target=found.server.run, kwargs={"sockets": watched_often(door)})
    thread.start()
    try:
        yield found
    finally:
        found.go_on.set()
        found.server.should_exit = True
        thread.join(AT_MOST_S)
        assert not thread.is_alive()


def answer_to(client: socket.socket) -> bytes:
    """All that the server says until it has answered once, or closes."""
    said = b""
    while not said.endswith(b"\r\n\r\nok") and (more := client.recv(4_096)):
        said += more
    return said


def stop_while_held(running: Running) -> None:
    """Told to stop, it goes on in the very turn in which it looks whether it was."""
    running.server.should_exit = True
    time.sleep(0.3)  # it looks every tenth of a second: the next look is due when it goes on
    running.go_on.set()


def test_who_was_let_in_by_the_system_alone_is_answered_and_so_is_who_asks_again_meanwhile() -> None:
    with a_server() as running, ExitStack() as stack:
        known = [stack.enter_context(running.connect()) for _ in range(20)]
        for client in known:
            client.sendall(ASKED)
            assert answer_to(client).startswith(b"HTTP/1.1 200")
        holding = stack.enter_context(running.connect())
        holding.sendall(HELD)
        assert running.is_held.wait(AT_MOST_S)
        new = [stack.enter_context(running.connect()) for _ in range(60)]  # by the system: nobody else is there
        for client in (*known, *new):
            client.sendall(ASKED)
        stop_while_held(running)
        answers = [answer_to(client) for client in (holding, *known, *new)]
    assert [answer.partition(b"\r\n")[0] for answer in answers] == [b"HTTP/1.1 200 OK"] * 81


def test_who_says_nothing_is_closed_without_a_reset_and_holds_up_no_stop() -> None:
    with a_server() as running, ExitStack() as stack:
        holding = stack.enter_context(running.connect())
        holding.sendall(HELD)
        assert running.is_held.wait(AT_MOST_S)
        silent = [stack.enter_context(running.connect()) for _ in range(5)]
        stop_while_held(running)
        assert [answer_to(client) for client in silent] == [b""] * 5
        with pytest.raises(ConnectionRefusedError):
            running.connect()
