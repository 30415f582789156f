"""What goes wrong at the door: with a request, with its key, or for want of room."""

from collections.abc import Mapping

from catalog import ParetoGateError

__all__ = [
    "BodyTooLargeError",
    "BudgetExceededError",
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
]


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
