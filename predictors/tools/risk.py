"""How much harm a tool can do, by what its operator or provider declares; a name proves nothing."""

from collections.abc import Mapping
from enum import IntEnum

from .errors import InvalidToolError
from .registry import Tool

__all__ = ["ToolRisk", "risk_of", "risk_of_annotations"]


class ToolRisk(IntEnum):
    """Ordered, so that a request is as risky as its riskiest tool: `max(risks)`."""

    READS = 1
    """Looks something up and changes nothing."""

    WRITES = 2
    """Changes something that can be changed back."""

    UNKNOWN = 3
    """Nobody said; held to be worse than what is known to be reversible."""

    DESTROYS = 4
    """Deletes, sends, pays, executes: what cannot be taken back."""


def risk_of(tool: Tool, *, declared: Mapping[str, str], annotations: Mapping[str, object] | None = None) -> ToolRisk:
    """The risk of one tool.

    The operator's word decides. Without it, a provider's MCP annotations may raise the risk to what they admit, but
    never lower it below UNKNOWN: a server that calls its own tool harmless is not believed, and the tool's name is
    not read at all.

    Args:
        tool: the tool.
        declared: tool id -> "reads", "writes", "unknown" or "destroys", from the operator's configuration.
        annotations: MCP's `readOnlyHint`, `destructiveHint`, ... as the provider sent them.

    Raises:
        InvalidToolError: the declared class is none of the four.
    """
    if tool.tool_id in declared:
        word = declared[tool.tool_id]
        try:
            return ToolRisk[word.upper()]
        except KeyError:
            known = ", ".join(risk.name.lower() for risk in ToolRisk)
            raise InvalidToolError(f"{tool.tool_id}: risk {word!r} is none of {known}") from None
    return max(ToolRisk.UNKNOWN, risk_of_annotations(annotations or {}))


def risk_of_annotations(annotations: Mapping[str, object]) -> ToolRisk:
    """What a provider says outright about its tool by MCP's hints; what it leaves unsaid is UNKNOWN."""
    if annotations.get("readOnlyHint") is True:
        return ToolRisk.READS
    if annotations.get("destructiveHint") is False:
        return ToolRisk.WRITES
    return ToolRisk.DESTROYS if annotations.get("destructiveHint") is True else ToolRisk.UNKNOWN
