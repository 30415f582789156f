"""The address of what replicas share: read before anybody connects, and never told, since it may hold a password."""

from urllib.parse import parse_qsl, urlsplit

__all__ = ["check_cluster_url", "check_journal_url", "check_state_url", "shown_url"]

_REDIS = ("redis", "rediss", "unix")
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
    """Refuse what cannot hold the state.

    Raises:
        ValueError: without a word of the address beyond names of options.
    """
    scheme, mark, _ = url.partition("://")
    if not mark or scheme not in ("memory", *_REDIS):
        raise ValueError("state is kept in memory://, or in Redis: redis://HOST:PORT/DB, rediss:// or unix://PATH")
    if scheme != "memory":
        _check_redis_url(url, scheme)


def check_journal_url(url: str) -> None:
    """Refuse what cannot hold the journal; else as `check_state_url`."""
    scheme, mark, _ = url.partition("://")
    if url.startswith("sqlite:///"):
        return
    if not mark or scheme not in _REDIS:
        raise ValueError(
            "a journal is kept in sqlite:///PATH, or in Redis: redis://HOST:PORT/DB, rediss:// or unix://PATH"
        )
    _check_redis_url(url, scheme)


def check_cluster_url(url: str) -> None:
    """Refuse what cannot be the address of a node of a Redis Cluster.

    Raises:
        ValueError: without a word of the address.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"redis", "rediss"} or parts.path not in {"", "/", "/0"}:
        raise ValueError("of a cluster, url names any node: redis://HOST:PORT or rediss://HOST:PORT, and no database")


def shown_url(url: str) -> str:
    """The address without users, passwords and options, for people to read."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return f"unix://{parts.path}"
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}"


def _check_redis_url(url: str, scheme: str) -> None:
    """Refuse what the client of Redis would pass over in silence, or fail at with every request.

    Others of its options are not for the operator: `decode_responses` would hide that a limit refuses, and how long is
    waited is said elsewhere (`state.timeout_ms`).
    """
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
