"""What can go wrong at the door and beyond it, and the HTTP status of every error. Statuses live here alone.

ParetoGateError
└── GatewayError
    ├── InvalidSettingsError      a configuration key or value is wrong; in settings.py  (ValueError)
    ├── InvalidRequestError       the client's request is malformed                      (ValueError)
    ├── BodyTooLargeError         the client's request is larger than the limit
    ├── HeadersTooLargeError      its headers are
    ├── SlowRequestError          it does not arrive in time
    ├── NotFoundError             no such door, or no such model
    ├── OverloadedError           too many requests at once, or every backend is resting
    ├── UnavailableError          something of ours is missing or full; nothing the client did
    ├── UnauthenticatedError      no API key came, or one that opens nothing
    ├── ForbiddenError            the key does not open this
    ├── QuotaError                the key's quota
    │   ├── RateLimitedError          too much per minute, or at once
    │   └── BudgetExceededError       its dollars are spent
    ├── UpstreamError             a backend failed
    │   ├── UpstreamUnreachableError   refused, reset, name not found
    │   ├── UpstreamNotAskedError      not asked, for want of something of this machine's
    │   ├── UpstreamTimeoutError       too slow to connect, to start or to go on
    │   ├── UpstreamStatusError        answered with an error status
    │   ├── UpstreamProtocolError      answered with something that is not an answer
    │   ├── UpstreamUnusableError      cannot be asked at all, as it is configured
    │   └── UpstreamUnsupportedError   cannot be asked this, for want of a word for it
    └── AllBackendsFailedError    every backend of the ranking failed
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from catalog import ParetoGateError, UnknownModelError
from router import InvalidRoutingError, NoEligibleModelError, TooLong

__all__ = [
    "OUT_OF_ROOM",
    "AllBackendsFailedError",
    "BodyTooLargeError",
    "BudgetExceededError",
    "ErrorReply",
    "ForbiddenError",
    "GatewayError",
    "HeadersTooLargeError",
    "InvalidRequestError",
    "NotFoundError",
    "OverloadedError",
    "QuotaError",
    "RateLimitedError",
    "SlowRequestError",
    "UnauthenticatedError",
    "UnavailableError",
    "UpstreamError",
    "UpstreamNotAskedError",
    "UpstreamProtocolError",
    "UpstreamStatusError",
    "UpstreamTimeoutError",
    "UpstreamUnreachableError",
    "UpstreamUnsupportedError",
    "UpstreamUnusableError",
    "anthropic_error",
    "openai_error",
    "reply_to",
]

_SOON_S = 1.0  # after which a client may come back, where nobody knows better
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
_BUSY: Mapping[int, tuple[int, str, str]] = {  # what everybody said -> what the client is told; 529 is Anthropic's
    429: (429, "rate_limit_error", "rate_limit_exceeded"),
    529: (503, "overloaded_error", "overloaded"),
}
_LIKELY: Mapping[int, str] = {  # what is wrong, most often
    401: "; its key is missing or wrong",
    402: "; the account behind its key is out of credit, or its quota is spent",
    403: "; its key is not for this",
    404: "; it may not know the model by this name",
}


class GatewayError(ParetoGateError):
    """Something at the door or beyond it is wrong."""


class InvalidRequestError(GatewayError, ValueError):
    """The client's request is malformed; `param` names the field, and `details` are facts that its library acts on."""

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str = "invalid_request",
        details: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.param, self.code, self.details = param, code, details


class BodyTooLargeError(GatewayError):
    """The body is larger than the operator allows."""

    def __init__(self, *, limit_bytes: int) -> None:
        super().__init__(f"the body is larger than {limit_bytes} bytes; shorten it, or raise server.max_body_bytes")
        self.limit_bytes = limit_bytes


class HeadersTooLargeError(GatewayError):
    """The request line and headers are more than anybody needs."""

    def __init__(self, *, limit_bytes: int, limit_fields: int) -> None:
        super().__init__(f"the headers are more than {limit_bytes} bytes or {limit_fields} fields; send fewer")
        self.limit_bytes, self.limit_fields = limit_bytes, limit_fields


class SlowRequestError(GatewayError):
    """A part of the request did not arrive in time."""

    def __init__(self, *, what: str, after_s: float) -> None:
        super().__init__(f"the {what} did not arrive within {after_s:g} s; send the request again")
        self.after_s = after_s


class NotFoundError(GatewayError):
    """Nothing lives at that address."""

    def __init__(self, message: str, *, code: str = "not_found") -> None:
        super().__init__(message)
        self.code = code


class UnavailableError(GatewayError):
    """Something of ours is missing or full. Clients read `advice`, which tells nothing of this machine."""

    code = "unavailable"
    advice = "the gateway cannot serve this now; its log says why"
    retry_after_s = 5.0


class OverloadedError(GatewayError):
    """No place for this request now; `retry_after_s` says when to come back.

    `is_rate_limit`: since every backend that may answer asked to be left alone, which is their 429 and not our 503.
    """

    def __init__(self, message: str, *, retry_after_s: float = 1.0, is_rate_limit: bool = False) -> None:
        super().__init__(message)
        self.retry_after_s, self.is_rate_limit = retry_after_s, is_rate_limit


class UnauthenticatedError(GatewayError):
    """No API key came, or one that opens nothing. The message never repeats it."""


class ForbiddenError(GatewayError):
    """The key is good, but not for this."""

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class QuotaError(GatewayError):
    """A limit of the key refused; `headers` tell the client what is left."""

    def __init__(
        self,
        message: str,
        *,
        limit: str,
        retry_after_s: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.limit, self.retry_after_s = limit, retry_after_s
        self.headers: Mapping[str, str] = headers or {}


class RateLimitedError(QuotaError):
    """Too much per minute, or at once."""


class BudgetExceededError(QuotaError):
    """The dollars of the day or month are spent, or would be by this request."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorReply:
    """What the client is told, before it takes the shape of the client's own protocol."""

    status: int
    kind: str  # OpenAI's `type`
    code: str
    message: str
    param: str | None = None
    retry_after_s: float | None = None
    extra: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    is_backends_own: bool = False  # its code and message are a backend's words, which can be anything

    @property
    def outcome(self) -> str:
        """A word of ours for it, for metrics and traces."""
        return "rejected_by_model" if self.is_backends_own else self.code


def reply_to(error: BaseException) -> ErrorReply:  # noqa: C901, PLR0911, PLR0912 - one table, one line of thought per row
    """The one table from an error to its status, type and code. What is not ours says nothing about itself."""
    match error:
        case InvalidRequestError():
            reply = _invalid(str(error), code=error.code, param=error.param)
            return reply if error.details is None else replace(reply, extra={"details": error.details})
        case InvalidRoutingError():
            return _invalid(str(error), code="invalid_routing", param=error.field)
        case BodyTooLargeError():
            return ErrorReply(status=413, kind="invalid_request_error", code="request_too_large", message=str(error))
        case HeadersTooLargeError():
            return ErrorReply(status=431, kind="invalid_request_error", code="headers_too_large", message=str(error))
        case SlowRequestError():
            return ErrorReply(status=408, kind="invalid_request_error", code="request_timeout", message=str(error))
        case UnknownModelError():
            return _not_found(str(error), code="unknown_model", param="model")
        case NotFoundError():
            return _not_found(str(error), code=error.code)
        case NoEligibleModelError() if error.too_long is not None:
            return _too_long(error, error.too_long)
        case NoEligibleModelError():
            extra: dict[str, object] = {"rejections": error.rejections, "closest": error.closest}
            extra |= {"unknown": list(error.unknown)} if error.unknown else {}
            return ErrorReply(
                status=422, kind="invalid_request_error", code="no_eligible_model", message=str(error), extra=extra
            )
        case UnauthenticatedError():
            return ErrorReply(status=401, kind="authentication_error", code="invalid_api_key", message=str(error))
        case ForbiddenError():
            return ErrorReply(
                status=403, kind="permission_error", code="forbidden", message=str(error), param=error.param
            )
        case QuotaError():
            return _over_quota(error)
        case OverloadedError():
            limited = error.is_rate_limit
            return ErrorReply(
                status=429 if limited else 503,
                kind="rate_limit_error" if limited else "overloaded_error",
                code="rate_limit_exceeded" if limited else "overloaded",
                message=str(error),
                retry_after_s=error.retry_after_s,
            )
        case UpstreamError():
            return _upstream((error,), str(error))
        case AllBackendsFailedError():
            return _upstream(error.failures, str(error))
        case GatewayError():  # ours, such as a full journal that was told to refuse: nothing the client did
            kind = error if isinstance(error, UnavailableError) else UnavailableError
            return ErrorReply(
                status=503,
                kind="api_error",
                code=kind.code,
                message=kind.advice,
                retry_after_s=kind.retry_after_s,
            )
        case _:
            return ErrorReply(
                status=500, kind="api_error", code="internal_error", message="something went wrong here; it is logged"
            )


def openai_error(reply: ErrorReply) -> dict[str, object]:
    """The body that OpenAI's clients read."""
    message = reply.message
    if reply.code == OUT_OF_ROOM and not _TOO_LONG_TO_OPENAI.search(message):
        message = f"This model's maximum context length is exceeded: {message}"
    error = {"message": message, "type": reply.kind, "param": reply.param, "code": reply.code, **reply.extra}
    return {"error": error}


_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "invalid_request_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    431: "request_too_large",
    503: "overloaded_error",
}


def anthropic_error(reply: ErrorReply, *, request_id: str) -> dict[str, object]:
    """The body that Anthropic's clients read."""
    message = reply.message if reply.code != OUT_OF_ROOM else _too_long_to_anthropic(reply)
    error = {"type": _ANTHROPIC_TYPES.get(reply.status, "api_error"), "message": message, **reply.extra}
    return {"type": "error", "error": error, "request_id": request_id}


# Clients tell a request that is too long from others by words of its message; these are those that litellm knows.
_TOO_LONG_TO_OPENAI = re.compile(
    r"maximum context length|exceeds the available context size|exceed context limit"
    r"|exceeds the maximum number of tokens allowed|longer than the model's context length"
)
_TOO_LONG_TO_ANTHROPIC = re.compile(r"prompt is too long|exceed context limit")


def _too_long(error: NoEligibleModelError, by: TooLong) -> ErrorReply:
    """In OpenAI's own words and with its code, beside the facts of every refusal of ours."""
    asked = by.input_tokens + by.output_tokens
    message = (
        f"This model's maximum context length is {by.window_tokens} tokens. However, you requested about {asked} "
        f"tokens ({by.input_tokens} in the messages, {by.output_tokens} in the completion). "
        "Please reduce the length of the messages or completion."
    )
    facts = {"rejections": error.rejections, "closest": error.closest, "too_long": asdict(by)}
    return replace(_invalid(message, code=OUT_OF_ROOM, param="messages"), extra=facts)


def _too_long_to_anthropic(reply: ErrorReply) -> str:
    """In Anthropic's own words: clients look for them, and allow a shorter answer where that is all that is needed."""
    facts = reply.extra.get("too_long")
    if not isinstance(facts, Mapping):  # a backend's own words
        found = _TOO_LONG_TO_ANTHROPIC.search(reply.message)
        return reply.message if found else f"prompt is too long: {reply.message}"
    read, allowed, window = (facts[name] for name in ("input_tokens", "output_tokens", "window_tokens"))
    if read < window:
        return (
            f"input length and `max_tokens` exceed context limit: {read} + {allowed} > {window}, "
            "decrease input length or `max_tokens` and try again"
        )
    return f"prompt is too long: {read} tokens > {window} maximum"


def _over_quota(error: QuotaError) -> ErrorReply:
    spent = isinstance(error, BudgetExceededError)
    return ErrorReply(
        status=402 if spent else 429,
        kind="insufficient_quota" if spent else "rate_limit_error",
        code="budget_exceeded" if spent else "rate_limit_exceeded",
        message=str(error),
        retry_after_s=error.retry_after_s,
        headers=error.headers,
    )


def _invalid(message: str, *, code: str, param: str | None) -> ErrorReply:
    return ErrorReply(status=400, kind="invalid_request_error", code=code, message=message, param=param)


def _not_found(message: str, *, code: str, param: str | None = None) -> ErrorReply:
    return ErrorReply(status=404, kind="not_found_error", code=code, message=message, param=param)


def _upstream(failures: Sequence[UpstreamError], message: str) -> ErrorReply:
    """The last word of the backends, as the client should act on it."""
    last = failures[-1] if failures else None
    for failure in failures:  # whoever is away may have more room; the client has something to do at once
        if (
            isinstance(failure, UpstreamStatusError)
            and failure.is_refusal
            and failure.detail.get("code") == OUT_OF_ROOM
        ):
            last = failure
    if isinstance(last, UpstreamStatusError) and last.is_refusal:
        said = last.detail.get("message")
        param, code = last.detail.get("param"), last.detail.get("code")
        return ErrorReply(
            status=last.status,
            kind="invalid_request_error",
            code=code if isinstance(code, str) else "rejected_by_model",
            message=said if isinstance(said, str) else message,
            param=param if isinstance(param, str) else None,
            is_backends_own=True,
        )
    if isinstance(last, UpstreamUnsupportedError):
        return _invalid(message, code="unsupported_parameter", param=last.parameters[0] if last.parameters else None)
    for told, (status, kind, code) in _BUSY.items():
        busy = [f for f in failures if isinstance(f, UpstreamStatusError) and f.status == told]
        if failures and len(busy) == len(failures):
            waits = [f.retry_after_s for f in busy if f.retry_after_s is not None]
            soonest = min(waits, default=None)
            return ErrorReply(status=status, kind=kind, code=code, message=message, retry_after_s=soonest)
    if failures and all(isinstance(f, UpstreamNotAskedError) for f in failures):
        return ErrorReply(
            status=503, kind="overloaded_error", code="overloaded", message=message, retry_after_s=_SOON_S
        )
    if failures and all(isinstance(f, UpstreamTimeoutError) for f in failures):
        return ErrorReply(status=504, kind="api_error", code="upstream_timeout", message=message)
    lasting = failures and all(
        isinstance(f, UpstreamUnusableError) or (isinstance(f, UpstreamStatusError) and f.is_lasting) for f in failures
    )
    headers = {"x-should-retry": "false"} if lasting else {}  # which the libraries of OpenAI and Anthropic obey
    return ErrorReply(status=502, kind="api_error", code="upstream_failed", message=message, headers=headers)
