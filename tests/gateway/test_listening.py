"""How clients are let in."""

import asyncio
import contextlib
import socket

import pytest

from gateway.listening import AddressTakenError, open_socket, server_config, watched_often

pytestmark = pytest.mark.loopback


def turns_until_all_are_in(doors: list[socket.socket], n_clients: int) -> int:
    """Turns of uvloop's event loop that it takes to greet clients who all came before the first."""
    uvloop = pytest.importorskip("uvloop")
    greeted: list[asyncio.BaseTransport] = []

    class Host(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            greeted.append(transport)

    async def count() -> int:
        loop, turns = asyncio.get_running_loop(), 0
        servers = [await loop.create_server(Host, sock=door) for door in doors]
        while len(greeted) < n_clients:
            await asyncio.sleep(0)
            turns += 1
        for transport in greeted:
            transport.close()
        for server in servers:
            server.close()
        return turns

    with contextlib.ExitStack() as stack:
        for _ in range(n_clients):
            stack.enter_context(socket.create_connection(doors[0].getsockname()))
        return int(uvloop.run(count()))


def test_many_clients_at_once_are_let_in_within_a_few_turns() -> None:
    one_by_one = turns_until_all_are_in([open_socket("127.0.0.1", 0)], 64)
    many_a_turn = turns_until_all_are_in(watched_often(open_socket("127.0.0.1", 0)), 64)
    assert one_by_one >= 64  # should this fail, uvloop has changed, and `watched_often` is to be deleted
    assert many_a_turn <= 64 / 16 + 4


def test_a_taken_port_is_told_with_the_remedy() -> None:
    with open_socket("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AddressTakenError, match=rf"127\.0\.0\.1:{port}.*choose another by --port"):
            open_socket("127.0.0.1", port)


def test_an_idle_connection_outlives_a_load_balancers() -> None:
    async def app(*_: object) -> None:
        raise AssertionError("nobody asks")

    assert server_config(app).timeout_keep_alive > 60
