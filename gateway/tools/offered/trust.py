"""Whom risky tools are given to: what a tool may do is what its operator says, never what its name suggests."""

from collections.abc import Mapping
from dataclasses import replace

import orjson

from gateway.tools.registries import StoredRegistry, StoredTool
from predictors.tools import Tool, ToolRisk, risk_of
from router import Reading

from .offer import Offer

__all__ = ["riskiest", "within_cap"]


def riskiest(
    offer: Offer, sent: tuple[str, ...], *, declared: Mapping[str, str], stored: StoredRegistry | None
) -> ToolRisk:
    """The risk of the riskiest tool that is sent.

    What the operator declares by name may raise any tool's class. It lowers one below `unknown` only where the tool is
    the registry's own, word for word: whoever writes a request could give a tool any name. A declaration that cannot be
    read is unknown.
    """
    found = [ToolRisk.READS]
    for tool_id in sent:
        tool = offer.readable.get(tool_id)
        kept = stored.by_name.get(tool_id) if stored is not None else None
        if tool is None:
            found.append(ToolRisk.UNKNOWN)
            continue
        words = {**({tool_id: kept.risk} if kept is not None and kept.risk else {}), **declared}
        risk = risk_of(tool, declared=words, annotations=kept.annotations if kept is not None else None)
        found.append(risk if kept is not None and _is_same(tool, kept) else max(risk, ToolRisk.UNKNOWN))
    return max(found)


def within_cap(reading: Reading, max_agent_risk: float) -> Reading:
    """The same wishes, and no model above this agent risk, nor one whose risk nobody has measured."""
    require = reading.options.require
    cap = max_agent_risk if require.max_agent_risk is None else min(max_agent_risk, require.max_agent_risk)
    return replace(reading, options=replace(reading.options, require=replace(require, max_agent_risk=cap)))


def _is_same(tool: Tool, kept: StoredTool) -> bool:
    schema = orjson.loads(tool.parameters) if tool.parameters else None
    return tool.description == kept.description and (schema or {}) == dict(kept.declared_schema)
