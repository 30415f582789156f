"""Web pages of strangers, which call whatever listens on the machine of those who look at them.

A gateway on loopback that asks for no key trusts everybody on its machine, and a browser there runs anybody's pages.
They cannot read an answer of another origin, but their question is answered and paid for; and a page whose name leads
to 127.0.0.1 (DNS rebinding) reads it, too. Browsers say where a page comes from (`origin`) and by which name it knows
the address (`host`), and no page can change either. Pages of this machine are let in, and what a proxy has passed on is
the proxy's affair.
"""

import socket
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from gateway.errors import ForbiddenError
from gateway.governance.exposure import is_loopback

__all__ = ["check_page"]

_FORWARDED = frozenset({b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip"})
_LOCAL = (".localhost", ".local", ".internal")  # names that no stranger can have; Docker's of its host is among them
_WEB = ("http", "https")
_HERE = socket.gethostname().lower()
_REMEDY = (
    "this gateway listens on loopback and asks for no key, so pages of other sites may not call it; name the origin in"
    " server.cors_origins, set auth.required, or auth.allow_open where something else keeps strangers out"
)


def check_page(headers: Iterable[tuple[bytes, bytes]], *, welcome: bytes | None = None) -> None:
    """Let pass whatever is not known to be a stranger's page; `welcome` is an origin that the operator has named.

    Raises:
        ForbiddenError: it is, by its origin or by the name that it has for this address.
    """
    origin = host = b""
    for name, value in headers:
        if name == b"host":
            host = value
        elif name == b"origin":
            origin = value
        elif name in _FORWARDED:
            return
    if host and not _is_local(host):
        raise ForbiddenError(f"host: {host.decode('latin-1')[:100]} is no name of this machine; {_REMEDY}")
    if origin and origin != welcome and _is_strange(origin, host):
        raise ForbiddenError(f"origin: {origin.decode('latin-1')[:100]} is elsewhere; {_REMEDY}")


def _is_strange(origin: bytes, host: bytes) -> bool:
    """Pages without an origin of their own may be a stranger's; browser extensions and desktop applications are not."""
    scheme, _, rest = origin.decode("latin-1").lower().partition("://")
    if not rest:
        return True
    return scheme in _WEB and rest.encode("latin-1") != host.lower() and not is_loopback(_name(origin))


def _name(address: bytes) -> str:
    try:
        return urlsplit(address.decode("latin-1")).hostname or ""
    except ValueError:
        return "?"  # which is nobody's


@lru_cache(maxsize=64)  # of one process nearly all are the same
def _is_local(host: bytes) -> bool:
    name = _name(b"//" + host)
    if not name or name == _HERE or "." not in name.rstrip(".") or name.endswith(_LOCAL):
        return name != "?"
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
