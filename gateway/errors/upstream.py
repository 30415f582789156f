"""What goes wrong with a backend; what its statuses mean for whoever would ask it again, or another."""

from collections import Counter
from collections.abc import Mapping, Sequence

from .door import GatewayError

__all__ = [
    "OUT_OF_ROOM",
    "AllBackendsFailedError",
    "UpstreamError",
    "UpstreamNotAskedError",
    "UpstreamProtocolError",
    "UpstreamStatusError",
    "UpstreamTimeoutError",
    "UpstreamUnreachableError",
    "UpstreamUnsupportedError",
    "UpstreamUnusableError",
]

OUT_OF_ROOM = "context_length_exceeded"  # OpenAI's code: agents that hear it shorten the conversation and ask again
_CLIENTS_FAULT = frozenset({400, 413, 422})  # what a backend says about the request itself is passed on
_OWN_LIMITS = frozenset(  # what it then says of what others may take: of a parameter, of names and prompts, of a minute
    {
        *("unsupported_parameter", "unsupported_value"),
        *("string_above_max_length", OUT_OF_ROOM, "rate_limit_exceeded"),
    }
)
_UNPAID = frozenset[object](  # OpenAI's codes and, the second, Moonshot's
    {"insufficient_quota", "exceeded_current_quota_error", "billing_hard_limit_reached", "billing_not_active"}
)
_LIKELY: Mapping[int, str] = {  # what is wrong, most often
    401: "; its key is missing or wrong",
    402: "; the account behind its key is out of credit, or its quota is spent",
    403: "; its key is not for this",
    404: "; it may not know the model by this name",
}


class UpstreamError(GatewayError):
    """A backend failed; the kind of failure is the class, and `reason` is its word in metrics and records."""

    reason = "failed"

    def __init__(self, message: str, *, backend_id: str) -> None:
        super().__init__(f"backend {backend_id} {message}")
        self.backend_id = backend_id


class UpstreamUnreachableError(UpstreamError):
    """Refused, reset, or its name is not found."""

    reason = "unreachable"


class UpstreamNotAskedError(UpstreamError):
    """Not asked, for want of something of this machine's, such as open files: nothing is learned of the backend."""

    reason = "not_asked"


class UpstreamTimeoutError(UpstreamError):
    """Too slow to connect, to start or to go on; `was_hurried`: its own limits would have let it go on."""

    reason = "timeout"

    def __init__(self, *, backend_id: str, phase: str, after_s: float, was_hurried: bool = False) -> None:
        remedy = "ask with a later deadline" if was_hurried else "raise its limit or route around it"
        super().__init__(f"gave no {phase} within {after_s:g} s; {remedy}", backend_id=backend_id)
        self.phase, self.after_s, self.was_hurried = phase, after_s, was_hurried


class UpstreamStatusError(UpstreamError):
    """Answered with an error status. `detail` is its own error object, which may speak of the request.

    A 429 of an account without credit is told as a 402: unlike a rate limit it does not pass.
    """

    reason = "status"

    def __init__(
        self,
        *,
        backend_id: str,
        status: int,
        retry_after_s: float | None = None,
        detail: Mapping[str, object] | None = None,
    ) -> None:
        self.detail: Mapping[str, object] = detail or {}
        if status == 429 and not _UNPAID.isdisjoint((self.detail.get("code"), self.detail.get("type"))):
            status, retry_after_s = 402, None
        super().__init__(f"answered with status {status}{_LIKELY.get(status, '')}", backend_id=backend_id)
        self.status, self.retry_after_s = status, retry_after_s

    @property
    def is_refusal(self) -> bool:
        """It was asked for what it does not do; to ask it again would not help."""
        return self.status in _CLIENTS_FAULT

    @property
    def is_about_room(self) -> bool:
        """A refusal of what is too long for it."""
        return self.is_refusal and self.detail.get("code") == OUT_OF_ROOM

    @property
    def is_lasting(self) -> bool:
        """It will be answered alike until somebody mends the key, the account or the name of the model."""
        return self.status in _LIKELY

    @property
    def is_about_the_request(self) -> bool:
        """A refusal that no other backend would judge differently, as they might one for a parameter or a window."""
        return self.is_refusal and self.detail.get("code") not in _OWN_LIMITS


class UpstreamProtocolError(UpstreamError):
    """Answered with something that is not an answer."""

    reason = "protocol"


class UpstreamUnusableError(UpstreamError):
    """Cannot be asked at all, as it is configured; asking again will not help."""

    reason = "unusable"

    def __init__(self, *, backend_id: str, cause: str) -> None:
        super().__init__(f"cannot be asked as it is configured ({cause})", backend_id=backend_id)
        self.cause = cause


class UpstreamUnsupportedError(UpstreamError):
    """Cannot be asked this: there is no word for a parameter in its provider's dialect. Others may have one."""

    reason = "unsupported"

    def __init__(self, *, backend_id: str, parameters: Sequence[str] = (), cause: str | None = None) -> None:
        """`cause` is the kind of failure where nobody knows which parameter it was."""
        told = f"does not take {', '.join(parameters)}; leave it out, or ask another model"
        if cause is not None:
            told = f"cannot be asked this ({cause} when it was translated); ask it otherwise, or another model"
        super().__init__(told, backend_id=backend_id)
        self.parameters = tuple(parameters)


class AllBackendsFailedError(GatewayError):
    """Every backend that was allowed to answer failed."""

    def __init__(self, failures: Sequence[UpstreamError]) -> None:
        times = Counter(str(failure) for failure in failures)
        tried = "; ".join(f"{failure} ({n} times)" if n > 1 else failure for failure, n in times.items())
        super().__init__(f"no backend could answer: {tried}")
        self.failures = tuple(failures)
