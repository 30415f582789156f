"""What can go wrong at the door and beyond it, and the HTTP status of every error. Statuses live here alone.

ParetoGateError
└── GatewayError
    ├── InvalidSettingsError      a configuration key or value is wrong                  (ValueError)
    ├── InvalidRequestError       the client's request is malformed                      (ValueError)
    ├── UpstreamError             a backend failed
    │   ├── UpstreamUnreachableError   refused, reset, name not found
    │   ├── UpstreamTimeoutError       too slow to connect, to start or to go on
    │   ├── UpstreamStatusError        answered with an error status
    │   └── UpstreamProtocolError      answered with something that is not an answer
    └── AllBackendsFailedError    every backend of the ranking failed
"""

from catalog import ParetoGateError

__all__ = ["GatewayError"]


class GatewayError(ParetoGateError):
    """Something at the door or beyond it is wrong."""
