"""What can be wrong with tools and with finding them.

PredictorError
└── ToolError
    ├── InvalidToolError         a tool, a table of tools or a table of usage cannot be  (ValueError)
    └── UnknownToolError         the registry holds no tool of that id                   (LookupError)
"""

from predictors.errors import PredictorError

__all__ = ["InvalidToolError", "ToolError", "UnknownToolError"]


class ToolError(PredictorError):
    """Something about a tool or its retrieval is wrong."""


class InvalidToolError(ToolError, ValueError):
    """A tool, a table of tools or a table of usage holds a value that cannot be."""


class UnknownToolError(ToolError, LookupError):
    """The registry holds no tool of that id."""

    def __init__(self, tool_id: str, *, registry: str) -> None:
        super().__init__(f"registry {registry!r} holds no tool {tool_id!r}; add it before it is used or removed")
        self.tool_id, self.registry = tool_id, registry
