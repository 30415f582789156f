"""How many files this process may have open: each client is one, and so is each call to a backend."""

import resource
from contextlib import suppress

from gateway.startup import Finding

__all__ = ["raise_limit", "too_few"]

_ENOUGH = 1 << 16  # for any load that one machine bears
_OURS = 64  # the journal, the door, Redis, libraries


def raise_limit() -> int:
    """Take what this process is allowed: shells and systemd begin with 1,024 of far more; returns how many it is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return _ENOUGH if soft == resource.RLIM_INFINITY else soft
    with suppress(OSError, ValueError):  # some systems allow less than they say
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def too_few(limit: int, *, max_concurrency: int) -> tuple[Finding, ...]:
    """A word to the operator where files run out before `server.max_concurrency` requests are being answered."""
    room = max(1, (limit - _OURS) // 2)
    if room >= max_concurrency:
        return ()
    shortage = Finding(
        subject="open files",
        joined=True,
        detail=f"{limit} are allowed, enough for some {room} requests at once in each worker, where"
        f" server.max_concurrency is {max_concurrency}; raise the limit (ulimit -Hn) or lower max_concurrency",
        warning=True,
    )
    return (shortage,)
