"""How long a client says that it waits, and what follows: deadlines for backends, and models too slow to be chosen.

There are two kinds. A deadline of the whole request: `x-request-timeout` (seconds, or with `ms`, `s` or `m`) and gRPC's
`grpc-timeout`. And a read timeout, which the SDKs of OpenAI and Anthropic send by themselves
(`x-stainless-read-timeout`, `x-stainless-timeout`): of a whole answer that is its deadline, of a stream it is how long
the first byte and every further one may take.

Source of the second form: gRPC over HTTP/2, "Timeout".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from gateway.errors import InvalidRequestError
from router import Reading

__all__ = ["NO_TIMEOUTS", "ClientTimeouts", "read_client_timeouts"]

_DEADLINE = "x-request-timeout"
_GRPC = "grpc-timeout"
_READ = "x-stainless-read-timeout"
_WHOLE_SECONDS = "x-stainless-timeout"  # of the clients for JavaScript, which round down
_NAMES = frozenset({_DEADLINE, _GRPC, _READ, _WHOLE_SECONDS})

_UNITS_S = {"": 1.0, "ms": 1e-3, "s": 1.0, "m": 60.0}
_GRPC_UNITS_S = {"H": 3_600.0, "M": 60.0, "S": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}
_FORM = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\s*(ms|s|m|)")
_GRPC_FORM = re.compile(r"(\d{1,8})([HMSmun])")
_RESERVED_S = 0.1  # of a wait, so that the client has the 504 before it gives up
_MAX_RESERVED_SHARE = 0.05  # of short waits, this share at most


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTimeouts:
    """Seconds from the request's arrival; None is as long as the gateway lets requests take."""

    total_s: float | None = None  # until the last byte
    silence_s: float | None = None  # until the first byte, and between any two

    def deadline_s(self, *, stream: bool) -> float:
        """How long the request may take; infinite where the client says nothing."""
        if self is NO_TIMEOUTS:
            return float("inf")
        limits = (self.total_s,) if stream else (self.total_s, self.silence_s)
        return min((limit for limit in limits if limit is not None), default=float("inf"))

    def restricted(self, reading: Reading, *, stream: bool, most_s: float) -> Reading:
        """The wishes, limited to models that are expected in time; the same object where that adds nothing.

        Waits of `most_s` and more say nothing: everybody is fast enough for those, or is cut off anyway.
        """
        if self is NO_TIMEOUTS or reading.target is not None:
            return reading  # whoever is named is asked, and cut off in time
        require = reading.options.require
        more: dict[str, float] = {}
        for name, limit in (("max_latency_s", self.deadline_s(stream=stream)), ("max_ttft_s", self._first_s(stream))):
            told = getattr(require, name)
            if limit < most_s and (told is None or limit < told):
                more[name] = limit
        if not more:
            return reading
        return replace(reading, options=replace(reading.options, require=replace(require, **more)))  # type: ignore[arg-type] # both are floats

    def _first_s(self, stream: bool) -> float:  # noqa: FBT001 - one word, used above alone
        return self.silence_s if stream and self.silence_s is not None else float("inf")


NO_TIMEOUTS = ClientTimeouts()


def read_client_timeouts(headers: Mapping[str, str]) -> ClientTimeouts:
    """The timeouts that a client states; names of headers are in lower case.

    What an SDK says of itself is not the caller's own word: where it is no number, nothing was said.

    Raises:
        InvalidRequestError: a deadline of the caller's own is malformed.
    """
    if _NAMES.isdisjoint(headers):
        return NO_TIMEOUTS
    total_s = _shortest(
        _deadline(headers, _DEADLINE, _FORM, _UNITS_S), _deadline(headers, _GRPC, _GRPC_FORM, _GRPC_UNITS_S)
    )
    silence_s = _shortest(_told(headers, _READ, 0.0), _told(headers, _WHOLE_SECONDS, 1.0))
    if total_s is None and silence_s is None:
        return NO_TIMEOUTS
    return ClientTimeouts(total_s=total_s, silence_s=silence_s)


def _deadline(
    headers: Mapping[str, str], name: str, form: re.Pattern[str], units_s: Mapping[str, float]
) -> float | None:
    told = headers.get(name)
    if told is None:
        return None
    found = form.fullmatch(told.strip())
    wait_s = float(found[1]) * units_s[found[2]] if found else 0.0
    if wait_s <= 0.0:
        example = "30, 1.5s or 500ms" if name == _DEADLINE else "30S or 500m"
        raise InvalidRequestError(f"{name}: must be a time above zero, such as {example}", param=name)
    return _less_reserve(wait_s)


def _told(headers: Mapping[str, str], name: str, rounded_s: float) -> float | None:
    told = headers.get(name)
    if told is None or not (found := _FORM.fullmatch(told)) or found[2]:
        return None
    wait_s = float(found[1]) + rounded_s
    return _less_reserve(wait_s) if wait_s > 0.0 else None


def _less_reserve(wait_s: float) -> float:
    return wait_s - min(_RESERVED_S, wait_s * _MAX_RESERVED_SHARE)


def _shortest(*waits_s: float | None) -> float | None:
    return min((wait_s for wait_s in waits_s if wait_s is not None), default=None)
