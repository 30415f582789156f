"""What a search among tools found, and what served it."""

from typing import Any, Final

from catalog import record

__all__ = ["ANOTHER_VERSION", "ToolsFound"]

ANOTHER_VERSION: Final = "index_of_another_version"
"""How the index of a registry's other version is told of, which stands in until its own is fitted."""


@record
class ToolsFound:
    """`{name, score, description, parameters, set}` of each, best first."""

    tools: list[dict[str, Any]]
    searched: str | None = None  # NAME@VERSION; None where the request brought the tools
    selection: str | None = None  # `ANOTHER_VERSION`; None where the index was the version's own
