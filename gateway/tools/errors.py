"""What can be wrong with registries of tools and the servers behind them.

GatewayError
├── InvalidRequestError
│   └── InvalidRegistryError   a name, a tool or a file of a registry cannot be            (ValueError)
├── NotFoundError
│   └── UnknownRegistryError   no registry goes by that name and version
└── ToolServerError            an MCP server cannot be reached, or its answer is none
"""

from collections.abc import Sequence

from gateway.errors import GatewayError, InvalidRequestError, NotFoundError

__all__ = ["InvalidRegistryError", "ToolServerError", "UnknownRegistryError"]


class InvalidRegistryError(InvalidRequestError):
    """A registry, or something in it, cannot be; the message names it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="invalid_registry")


class UnknownRegistryError(NotFoundError):
    """No registry goes by that name and version; `known` are those that there are, None for who is not to know."""

    def __init__(self, label: str, *, known: Sequence[str] | None) -> None:
        there = "there is none yet; `paretogate tools import` makes one"
        if known is None:
            there = "whoever runs this gateway knows which there are"
        elif known:
            there = f"there are {', '.join(known)}"
        super().__init__(f"no registry of tools is called {label!r:.100}; {there}", code="unknown_registry")
        self.label = label


class ToolServerError(GatewayError):
    """An MCP server cannot be reached, or what it says is no answer."""
