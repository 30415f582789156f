"""The door to the street: the socket we listen on, and the server behind it on our terms.

libuv, on which uvloop stands, takes one new connection per listening socket and turn of the event loop. When many
clients come at once while others are being answered, the last of them would wait as many turns as there are clients:
with 64 at 0.7 ms a request, two thirds of a second. So the same socket is watched several times over.
"""

import errno
import signal
import socket
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from catalog import ParetoGateError

if TYPE_CHECKING:
    import uvicorn

__all__ = ["AddressTakenError", "open_socket", "run_until_told", "server_config", "watched_often"]

_BACKLOG = 2048
_NEW_CONNECTIONS_PER_TURN = 16  # each costs every new connection one accept(2) in vain, about a microsecond
_KEEP_ALIVE_S = (
    75  # longer than load balancers keep what is idle (60 s is usual): whoever closes second loses a request
)
_GRACE_S = 10  # for requests in flight when the gateway is told to stop
_REMEDIES: Mapping[int | None, str] = {
    errno.EADDRINUSE: "stop what runs there, or choose another by --port",
    errno.EACCES: "choose a port of 1024 or more by --port, or give the capability CAP_NET_BIND_SERVICE",
}


class AddressTakenError(ParetoGateError):
    """The address cannot be listened on."""

    def __init__(self, *, host: str, port: int, problem: OSError | UnicodeError) -> None:
        what = problem.strerror if isinstance(problem, OSError) else "it is no name of a machine"
        remedy = _REMEDIES.get(getattr(problem, "errno", None), "name an address of this machine by --host")
        where = f"[{host}]" if ":" in host else host
        super().__init__(f"cannot listen on {where}:{port}: {what or problem}; {remedy}")
        self.host, self.port = host, port


def open_socket(host: str, port: int) -> socket.socket:
    """A listening socket, so that a taken port is known before anything else is started.

    Raises:
        AddressTakenError: somebody else listens there, or the address is not this machine's.
    """
    try:
        family, address = _resolved(host, port)
        door = socket.socket(family, socket.SOCK_STREAM)
        try:
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            door.bind(address)
            door.listen(_BACKLOG)
        except OSError:
            door.close()
            raise
    except (OSError, UnicodeError) as exc:
        raise AddressTakenError(host=host, port=port, problem=exc) from exc
    door.set_inheritable(True)
    return door


def watched_often(door: socket.socket) -> list[socket.socket]:
    """The socket and copies of its descriptor, for the server to watch all of them."""
    return [door, *(door.dup() for _ in range(_NEW_CONNECTIONS_PER_TURN - 1))]


def server_config(app: Callable[..., Any], *, factory: bool = False, workers: int = 1) -> "uvicorn.Config":
    """The server: uvloop and httptools where they are installed, and nothing done per request that nobody reads."""
    import uvicorn  # noqa: PLC0415 - a taken port or a wrong key is told before the server is loaded

    return uvicorn.Config(
        app,
        factory=factory,
        workers=workers,
        loop="auto",
        http=_http_protocol(),
        ws="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,  # the application minds them where somebody reads what they tell
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
        timeout_worker_healthcheck=_GRACE_S,  # a worker that starts on a busy machine is not a hung one
    )


def run_until_told(config: "uvicorn.Config", doors: list[socket.socket]) -> None:
    """Serve in this process until it is told to stop; then return, so that what was started can be ended in order.

    The server finishes its requests and then raises the signal again; by then there is nothing left for it to end.
    A terminal that is closed (SIGHUP) tells to stop, too, unless it was told to be ignored, as by nohup.
    """
    from .stopping import PatientServer  # noqa: PLC0415 - as above

    for told_to_stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(told_to_stop, lambda *_: None)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    PatientServer(config).run(sockets=doors)


def _resolved(host: str, port: int) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
    """Of the addresses of a name one of IPv4 where there is any: `localhost` is 127.0.0.1 to most clients."""
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)
    return family, address


def _http_protocol() -> Any:  # noqa: ANN401 - uvicorn takes a name or a class
    """The fast parser, with our limits on what a client may send; where it is not installed, the server's own."""
    if find_spec("httptools") is None:
        return "auto"
    from .connection import GuardedHttp  # noqa: PLC0415 - loads the server

    return GuardedHttp
