"""A server that knows no HELLO, or no AUTH with two words, and says so by quoting what it was sent."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["quoting_redis"]


@contextmanager
def quoting_redis(password: str) -> Iterator[str]:
    """Its address with this password in it, escaped already."""
    listener = socket.create_server(("127.0.0.1", 0))

    def quote() -> None:
        while True:
            near, _ = listener.accept()
            with near:
                asked = near.recv(1 << 16).split(b"\r\n")
                near.sendall(b"-ERR unknown command, with args beginning with: " + b" ".join(asked) + b"\r\n")

    def until_closed() -> None:
        with suppress(OSError):
            quote()

    threading.Thread(target=until_closed, daemon=True).start()
    with listener:
        yield f"redis://:{password}@127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
