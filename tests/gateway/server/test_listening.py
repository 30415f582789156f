"""How clients are let in."""

import asyncio
import contextlib
import socket

import pytest

from gateway.server.listening import AddressTakenError, open_socket, server_config, watched_often

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


def test_a_name_that_has_no_address_of_ipv4_is_listened_on(monkeypatch: pytest.MonkeyPatch) -> None:
    of_ipv6 = [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 0, 0, 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: of_ipv6)
    with open_socket("gateway.example", 0) as door:
        assert door.getsockname()[0] == "::1"


def test_localhost_is_an_address_of_ipv4_where_there_is_one() -> None:
    with open_socket("localhost", 0) as door:
        assert door.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("host", ["no.such.host.invalid", "bad..name.invalid", "192.0.2.1"])
def test_an_address_of_another_machine_is_told_with_another_remedy_than_a_taken_port(host: str) -> None:
    with pytest.raises(AddressTakenError, match=rf"{host}:0: .*; name an address of this machine by --host"):
        open_socket(host, 0)


def test_an_idle_connection_outlives_a_load_balancers() -> None:
    async def app(*_: object) -> None:
        raise AssertionError("nobody asks")

    assert server_config(app).timeout_keep_alive > 60
