"""Which of a client's headers travel on to a backend: those of its own protocol, and where a trace comes from.

Nothing else of a client's headers leaves the gateway, its key least of all. What the operator configured for a backend
is never overridden by a client.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from catalog import Backend

__all__ = ["NOTHING", "carried_headers", "passed_on"]

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})

_OF_PROVIDERS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "anthropic": ("anthropic-version", "anthropic-beta"),
        "openai": (
            "openai-beta",
        ),  # who pays, and by whose rules, is the operator's to say: no organisation, no project
    }
)
_OF_TRACES: Final = ("traceparent", "tracestate")  # W3C Trace Context
_CARRIED: Final = tuple(name for names in (*_OF_PROVIDERS.values(), _OF_TRACES) for name in names)


def carried_headers(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Of a request's headers, with names in lower case, those that some backend may get."""
    carried = {name: headers[name] for name in _CARRIED if name in headers}
    return carried or NOTHING


def passed_on(carried: Mapping[str, str], backend: Backend) -> Mapping[str, str]:
    """Those that this backend gets."""
    if not carried:
        return NOTHING
    spoken = "anthropic" if backend.kind == "anthropic" else backend.provider
    wanted = (*_OF_TRACES, *_OF_PROVIDERS.get(spoken, ()))
    configured = {name.lower() for name in backend.headers}
    return {name: carried[name] for name in wanted if name in carried and name not in configured}
