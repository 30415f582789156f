"""The address of what replicas share: read before anybody connects, and never told, since it may hold a password."""

from urllib.parse import parse_qsl, urlsplit

__all__ = ["check_state_url"]

_SCHEMES = ("memory", "redis", "rediss", "unix")
_NUMBERS = ("db", "health_check_interval", "max_connections", "protocol")
_WORDS = ("client_name", "password", "username")
_TLS = (
    "ssl_ca_certs",
    "ssl_ca_data",
    "ssl_ca_path",
    "ssl_cert_reqs",
    "ssl_certfile",
    "ssl_check_hostname",
    "ssl_ciphers",
    "ssl_keyfile",
    "ssl_password",
)
_ESCAPES = "in a password, write / as %2F, @ as %40, : as %3A, ? as %3F and # as %23"


def check_state_url(url: str) -> None:
    """Refuse what the client of Redis would pass over in silence, or fail at with every request.

    Others of its options are not for the operator: `decode_responses` would hide that a limit refuses, and how long is
    waited `state.timeout_ms` says.

    Raises:
        ValueError: without a word of the address beyond names of options.
    """
    scheme, mark, _ = url.partition("://")
    if not mark or scheme not in _SCHEMES:
        raise ValueError("state is kept in memory://, or in Redis: redis://HOST:PORT/DB, rediss:// or unix://PATH")
    if scheme == "memory":
        return
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError(f"its host or port cannot be read; {_ESCAPES}") from None
    if parts.fragment or "@" in parts.query:
        raise ValueError(f"a part of it cannot be read; {_ESCAPES}")
    database = parts.path.strip("/")
    if scheme != "unix" and database and not database.isdecimal():
        raise ValueError("what stands behind the host is the number of a database: redis://HOST:PORT/0")
    known = (
        *_NUMBERS,
        *_WORDS,
        *(("socket_keepalive",) if scheme != "unix" else ()),
        *(_TLS if scheme == "rediss" else ()),
    )
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in known:
            tls = " (rediss:// is Redis over TLS)" if name in _TLS else ""
            raise ValueError(f"unknown option {name}{tls}; known: {', '.join(sorted(known))}")
        if name in _NUMBERS and not value.isdecimal():
            raise ValueError(f"the option {name} must be a whole number")
