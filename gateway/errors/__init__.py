"""What can go wrong at the door and beyond it, and the HTTP status of every error. Statuses live here alone.

`door` and `upstream` have the errors, `replies` the one table from an error to its status, `shapes` the bodies that
clients of each protocol read.

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
    RateLimitedError,
    SlowRequestError,
    UnauthenticatedError,
    UnavailableError,
)
from .replies import ErrorReply, reply_to
from .shapes import anthropic_error, openai_error
from .upstream import (
    OUT_OF_ROOM,
    AllBackendsFailedError,
    UpstreamError,
    UpstreamNotAskedError,
    UpstreamProtocolError,
    UpstreamStatusError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
    UpstreamUnsupportedError,
    UpstreamUnusableError,
)

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
