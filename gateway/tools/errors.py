"""What can be wrong with registries of tools and the servers behind them.

GatewayError
├── InvalidRequestError
│   └── InvalidRegistryError   a name or a tool of a registry cannot be                    (ValueError)
├── NotFoundError
│   └── UnknownRegistryError   no registry goes by that name and version
├── UnavailableError
│   └── DamagedRegistryError   the file of a registry that we keep cannot be read
└── ToolServerError            an MCP server cannot be reached, or its answer is none
"""

from collections.abc import Sequence

from gateway.errors import GatewayError, InvalidRequestError, NotFoundError, UnavailableError

__all__ = ["DamagedRegistryError", "InvalidRegistryError", "ToolServerError", "UnknownRegistryError"]


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


class DamagedRegistryError(UnavailableError):
    """The file of a registry cannot be read, which no client did. The message tells no place of this machine."""

    code = "registry_damaged"
    retry_after_s = 30.0  # it takes a person

    def __init__(self, label: str, *, place: str, problem: object) -> None:
        super().__init__(f"{place} in the state directory is damaged ({problem}); import the registry again")
        self.label, self.advice = label, str(self)


class ToolServerError(GatewayError):
    """An MCP server cannot be reached, or what it says is no answer."""
