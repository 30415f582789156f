"""What a client is told of an error: its status, type and code, before they take the shape of the client's protocol."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TypedDict, Unpack

from catalog import UnknownModelError
from router import InvalidRoutingError, NoEligibleModelError, TooLong

from .door import (
    BodyTooLargeError,
    BudgetExceededError,
    ForbiddenError,
    GatewayError,
    HeadersTooLargeError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    QuotaError,
    SlowRequestError,
    UnauthenticatedError,
    UnavailableError,
)
from .upstream import (
    OUT_OF_ROOM,
    AllBackendsFailedError,
    UpstreamError,
    UpstreamNotAskedError,
    UpstreamStatusError,
    UpstreamTimeoutError,
    UpstreamUnsupportedError,
    UpstreamUnusableError,
)

__all__ = ["ErrorReply", "reply_to"]

_SOON_S = 1.0  # after which a client may come back, where nobody knows better
_BUSY: Mapping[int, tuple[int, str, str]] = {  # what everybody said -> what the client is told; 529 is Anthropic's
    429: (429, "rate_limit_error", "rate_limit_exceeded"),
    529: (503, "overloaded_error", "overloaded"),
}


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
            extra = {} if error.details is None else {"details": error.details}
            return _invalid(str(error), error.code, param=error.param, extra=extra)
        case InvalidRoutingError():
            return _invalid(str(error), "invalid_routing", param=error.field)
        case BodyTooLargeError():
            return _told(error, 413, "invalid_request_error", "request_too_large")
        case HeadersTooLargeError():
            return _told(error, 431, "invalid_request_error", "headers_too_large")
        case SlowRequestError():
            return _told(error, 408, "invalid_request_error", "request_timeout")
        case UnknownModelError():
            return _told(error, 404, "not_found_error", "unknown_model", param="model")
        case NotFoundError():
            return _told(error, 404, "not_found_error", error.code)
        case NoEligibleModelError() if error.too_long is not None:
            return _too_long(error, error.too_long)
        case NoEligibleModelError():
            facts: dict[str, object] = {"rejections": error.rejections, "closest": error.closest}
            facts |= {"unknown": list(error.unknown)} if error.unknown else {}
            return _told(error, 422, "invalid_request_error", "no_eligible_model", extra=facts)
        case UnauthenticatedError():
            return _told(error, 401, "authentication_error", "invalid_api_key")
        case ForbiddenError():
            return _told(error, 403, "permission_error", "forbidden", param=error.param)
        case BudgetExceededError():
            return _over_quota(error, 402, "insufficient_quota", "budget_exceeded")
        case QuotaError():
            return _over_quota(error, 429, "rate_limit_error", "rate_limit_exceeded")
        case OverloadedError() if error.is_rate_limit:
            return _told(error, 429, "rate_limit_error", "rate_limit_exceeded", retry_after_s=error.retry_after_s)
        case OverloadedError():
            return _told(error, 503, "overloaded_error", "overloaded", retry_after_s=error.retry_after_s)
        case UpstreamError():
            return _upstream((error,), str(error))
        case AllBackendsFailedError():
            return _upstream(error.failures, str(error))
        case GatewayError():  # ours, such as a full journal that was told to refuse: nothing the client did
            ours = error if isinstance(error, UnavailableError) else UnavailableError
            return _reply(503, "api_error", ours.code, ours.advice, retry_after_s=ours.retry_after_s)
        case _:
            return _reply(500, "api_error", "internal_error", "something went wrong here; it is logged")


class _More(TypedDict, total=False):
    param: str | None
    retry_after_s: float | None
    extra: Mapping[str, object]
    headers: Mapping[str, str]


def _reply(status: int, kind: str, code: str, message: str, **more: Unpack[_More]) -> ErrorReply:
    return ErrorReply(status=status, kind=kind, code=code, message=message, **more)


def _told(error: BaseException, status: int, kind: str, code: str, **more: Unpack[_More]) -> ErrorReply:
    return _reply(status, kind, code, str(error), **more)


def _invalid(message: str, code: str, **more: Unpack[_More]) -> ErrorReply:
    return _reply(400, "invalid_request_error", code, message, **more)


def _over_quota(error: QuotaError, status: int, kind: str, code: str) -> ErrorReply:
    return _told(error, status, kind, code, retry_after_s=error.retry_after_s, headers=error.headers)


def _too_long(error: NoEligibleModelError, by: TooLong) -> ErrorReply:
    """In OpenAI's own words and with its code, beside the facts of every refusal of ours."""
    asked = by.input_tokens + by.output_tokens
    message = (
        f"This model's maximum context length is {by.window_tokens} tokens. However, you requested about {asked} "
        f"tokens ({by.input_tokens} in the messages, {by.output_tokens} in the completion). "
        "Please reduce the length of the messages or completion."
    )
    facts = {"rejections": error.rejections, "closest": error.closest, "too_long": asdict(by)}
    return _invalid(message, OUT_OF_ROOM, param="messages", extra=facts)


def _upstream(failures: Sequence[UpstreamError], message: str) -> ErrorReply:
    """The last word of the backends, as the client should act on it."""
    refused = _last_word(failures)
    if isinstance(refused, UpstreamStatusError) and refused.is_refusal:
        return _refused(refused, message)
    if isinstance(refused, UpstreamUnsupportedError):
        return _invalid(message, "unsupported_parameter", param=refused.parameters[0] if refused.parameters else None)
    for told, (status, kind, code) in _BUSY.items():
        busy = [f for f in failures if isinstance(f, UpstreamStatusError) and f.status == told]
        if failures and len(busy) == len(failures):
            waits = [f.retry_after_s for f in busy if f.retry_after_s is not None]
            return _reply(status, kind, code, message, retry_after_s=min(waits, default=None))
    if failures and all(isinstance(f, UpstreamNotAskedError) for f in failures):
        return _reply(503, "overloaded_error", "overloaded", message, retry_after_s=_SOON_S)
    if failures and all(isinstance(f, UpstreamTimeoutError) for f in failures):
        return _reply(504, "api_error", "upstream_timeout", message)
    lasting = failures and all(
        isinstance(f, UpstreamUnusableError) or (isinstance(f, UpstreamStatusError) and f.is_lasting) for f in failures
    )
    headers = {"x-should-retry": "false"} if lasting else {}  # which the libraries of OpenAI and Anthropic obey
    return _reply(502, "api_error", "upstream_failed", message, headers=headers)


def _last_word(failures: Sequence[UpstreamError]) -> UpstreamError | None:
    """Of the last, or of whoever had no room: whoever is away may have more, and the client can shorten at once."""
    last = failures[-1] if failures else None
    for failure in failures:
        if isinstance(failure, UpstreamStatusError) and failure.is_about_room:
            last = failure
    return last


def _refused(error: UpstreamStatusError, message: str) -> ErrorReply:
    """In the backend's own words, as far as it has some."""
    said, param, code = (error.detail.get(name) for name in ("message", "param", "code"))
    return ErrorReply(
        status=error.status,
        kind="invalid_request_error",
        code=code if isinstance(code, str) else "rejected_by_model",
        message=said if isinstance(said, str) else message,
        param=param if isinstance(param, str) else None,
        is_backends_own=True,
    )
