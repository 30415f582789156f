"""The tools an application may offer to a model, as one immutable, versioned set."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Self

from .errors import InvalidToolError, UnknownToolError

__all__ = ["RegistryChange", "Tool", "ToolRegistry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One callable tool, as its provider describes it.

    `parameters` is the schema as JSON text in whatever shape the source has (JSON Schema, a list of fields, or
    nothing); retrieval reads its words only. Published registries hold tools without a name, so an empty one is let in.
    """

    tool_id: str
    name: str
    description: str = ""
    parameters: str = ""
    category: str = ""

    def __post_init__(self) -> None:
        if not self.tool_id:
            raise InvalidToolError(f"a tool must have an id; this one has none: {self.name!r}")

    @classmethod
    def from_openai(cls, declared: Mapping[str, object]) -> Self:
        """Read one entry of an OpenAI `tools` array, with or without its `function` wrapper; the name is the id.

        Raises:
            InvalidToolError: the entry has no name.
        """
        wrapped = declared.get("function", declared) if isinstance(declared, Mapping) else None
        if not isinstance(wrapped, Mapping) or not isinstance(wrapped.get("name"), str):
            raise InvalidToolError("a tool needs a name: {'type': 'function', 'function': {'name': ...}}")
        schema = wrapped.get("parameters", wrapped.get("input_schema"))
        return cls(
            tool_id=wrapped["name"],
            name=wrapped["name"],
            description=str(wrapped.get("description") or ""),
            parameters=json.dumps(schema, ensure_ascii=False, sort_keys=True) if schema else "",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryChange:
    """What lies between two registries; a changed tool has the same id and another content."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ToolRegistry:
    """A named set of tools with unique ids. A change makes the next version; who reads the old one is not moved."""

    tools: tuple[Tool, ...]
    name: str = "tools"
    version: int = 1
    _rows: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        rows = {tool.tool_id: row for row, tool in enumerate(self.tools)}
        if len(rows) < len(self.tools):
            seen: set[str] = set()
            double = next(t.tool_id for t in self.tools if t.tool_id in seen or seen.add(t.tool_id))  # type: ignore[func-returns-value]
            raise InvalidToolError(f"registry {self.name!r}: tool_id {double!r} appears twice; ids must be unique")
        object.__setattr__(self, "_rows", rows)

    def __len__(self) -> int:
        return len(self.tools)

    def __iter__(self) -> Iterator[Tool]:
        return iter(self.tools)

    def __contains__(self, tool_id: object) -> bool:
        return tool_id in self._rows

    def row(self, tool_id: str) -> int:
        """Where the tool stands in `tools`.

        Raises:
            UnknownToolError: there is no such tool.
        """
        try:
            return self._rows[tool_id]
        except KeyError:
            raise UnknownToolError(tool_id, registry=self.name) from None

    @cached_property
    def digest(self) -> str:
        """Names the content: equal for equal tools, whatever their order, name and version."""
        lines = sorted(
            json.dumps([t.tool_id, t.name, t.description, t.parameters, t.category], ensure_ascii=False)
            for t in self.tools
        )
        return sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def with_tools(self, tools: Iterable[Tool]) -> "ToolRegistry":
        """The next version, with these tools added, or put in the place of the tools that bear their ids."""
        coming = {tool.tool_id: tool for tool in tools}
        kept = tuple(coming.pop(tool.tool_id, tool) for tool in self.tools)
        return ToolRegistry(tools=kept + tuple(coming.values()), name=self.name, version=self.version + 1)

    def without(self, tool_ids: Iterable[str]) -> "ToolRegistry":
        """The next version, with these tools gone.

        Raises:
            UnknownToolError: one of them was never there.
        """
        going = {self.tools[self.row(tool_id)].tool_id for tool_id in tool_ids}
        kept = tuple(tool for tool in self.tools if tool.tool_id not in going)
        return ToolRegistry(tools=kept, name=self.name, version=self.version + 1)

    def change_since(self, older: "ToolRegistry") -> RegistryChange:
        """What was added, changed and removed between an older registry and this one."""
        common = [tool for tool in self.tools if tool.tool_id in older]
        return RegistryChange(
            added=tuple(tool.tool_id for tool in self.tools if tool.tool_id not in older),
            changed=tuple(tool.tool_id for tool in common if older.tools[older.row(tool.tool_id)] != tool),
            removed=tuple(tool.tool_id for tool in older.tools if tool.tool_id not in self),
        )
