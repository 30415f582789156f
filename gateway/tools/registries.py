"""Registries of tools under the state directory: one file per version, never changed once it is there."""

import os
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from catalog import read_file
from gateway.atomic_files import temporary_copy
from predictors.tools import InvalidToolError, Tool, ToolRegistry, ToolUsage

from .errors import DamagedRegistryError, InvalidRegistryError, UnknownRegistryError

__all__ = ["RegistryStore", "StoredRegistry", "StoredTool", "is_registry_name"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_VERSION = re.compile(r"[0-9]{1,9}")
_MOST_VERSIONS = 3  # of a registry in memory: the newest, the one before, and one that requests may name
_RISKS = (None, "reads", "writes", "unknown", "destroys")


def is_registry_name(name: str) -> bool:
    """Whether a registry can be called so; such a name leads out of no folder."""
    return _NAME.fullmatch(name) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTool:
    """A tool with what retrieval does not read: its schema, what its provider hints, what the operator declared."""

    name: str
    description: str = ""
    schema: Mapping[str, Any] | None = None  # JSON Schema of the arguments
    category: str = ""
    annotations: Mapping[str, Any] = field(default_factory=dict)  # MCP's hints: the provider's word
    risk: str | None = None  # reads, writes, unknown or destroys: the operator's word

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise InvalidRegistryError(f"tools: each needs a name, a text: {self.name!r:.60}")
        if not isinstance(self.description, str) or not isinstance(self.category, str):
            raise InvalidRegistryError(f"tools: {self.name}: description and category must be texts")
        if not isinstance(self.schema, Mapping | None) or not isinstance(self.annotations, Mapping):
            raise InvalidRegistryError(f"tools: {self.name}: schema and annotations must be objects")
        if self.risk not in _RISKS:
            raise InvalidRegistryError(f"tools: {self.name}: risk must be reads, writes, unknown or destroys")

    @property
    def tool(self) -> Tool:
        """What retrieval reads."""
        parameters = "" if self.schema is None else orjson.dumps(self.schema, option=orjson.OPT_SORT_KEYS).decode()
        return Tool(
            tool_id=self.name,
            name=self.name,
            description=self.description,
            parameters=parameters,
            category=self.category,
        )

    @property
    def declared_schema(self) -> Mapping[str, Any]:
        """What chat is told of the arguments, also where nothing is known of them."""
        return self.schema if self.schema is not None else {"type": "object", "properties": {}}

    @property
    def declaration(self) -> dict[str, Any]:
        """As chat declares it."""
        schema = dict(self.declared_schema)
        return {
            "type": "function",
            "function": {"name": self.name, "description": self.description, "parameters": schema},
        }


@dataclass(frozen=True, kw_only=True)
class StoredRegistry:
    """One version of a registry."""

    name: str
    version: int
    tools: tuple[StoredTool, ...]
    source: str  # where it was imported from, without secrets
    created_s: float  # since the epoch
    usage: ToolUsage = field(default_factory=ToolUsage)
    server: Mapping[str, Any] | None = None  # the MCP server that runs the tools, where there is one

    @property
    def label(self) -> str:
        """NAME@VERSION."""
        return f"{self.name}@{self.version}"

    @cached_property
    def registry(self) -> ToolRegistry:
        """What retrieval reads."""
        return ToolRegistry(tools=tuple(t.tool for t in self.tools), name=self.name, version=self.version)

    @cached_property
    def by_name(self) -> Mapping[str, StoredTool]:
        """The tools by their names."""
        return {tool.name: tool for tool in self.tools}

    @cached_property
    def declarations(self) -> list[dict[str, Any]]:
        """The tools as chat declares them; read only."""
        return [tool.declaration for tool in self.tools]

    def summary(self) -> dict[str, Any]:
        """Without the tools."""
        return {
            "name": self.name,
            "version": self.version,
            "digest": self.registry.digest,
            "tools": len(self.tools),
            "usage": len(self.usage),
            "source": self.source,
            "created_s": self.created_s,
            "callable": self.server is not None,
        }


class RegistryStore:
    """A folder: NAME/VERSION.json."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, StoredRegistry] = {}
        self._reading = threading.Lock()

    def names(self) -> tuple[str, ...]:
        """Every registry there is."""
        return tuple(sorted(path.name for path in self._folder.glob("*") if self._versions(path.name)))

    def newest(self) -> tuple[str, ...]:
        """NAME@VERSION of every registry's newest version."""
        return tuple(f"{name}@{self._versions(name)[-1]}" for name in self.names())

    def summaries(self) -> list[dict[str, Any]]:
        """`StoredRegistry.summary` of every registry's newest version; of a damaged one its name and what is wrong."""
        found: list[dict[str, Any]] = []
        for label in self.newest():
            try:
                found.append(self.load(label).summary())
            except DamagedRegistryError as exc:
                name, _, version = label.partition("@")
                found.append({"name": name, "version": int(version), "damaged": str(exc)})
        return found

    def load(self, label: str) -> StoredRegistry:
        """A version, or the newest where the label names none.

        Raises:
            UnknownRegistryError: there is none.
            DamagedRegistryError: its file is.
        """
        path = self._file_of(label)
        found = self._read.get(path)
        if found is None:
            with self._reading:
                found = self._read.get(path) or self._remember(path, _from_json(path))
        return found

    def _remember(self, path: Path, stored: StoredRegistry) -> StoredRegistry:
        """Have it at hand, in the place of the version of the same registry that was read first."""
        others = [other for other in self._read if other.parent == path.parent]
        for other in others[: max(0, len(others) + 1 - _MOST_VERSIONS)]:
            del self._read[other]
        self._read[path] = stored
        return stored

    def is_read(self, label: str) -> bool:
        """Whether `load` has it at hand: reading thousands of tools takes seconds.

        Raises:
            UnknownRegistryError: there is none.
        """
        return self._file_of(label) in self._read

    def save(
        self,
        name: str,
        tools: Iterable[StoredTool],
        *,
        source: str,
        now_s: float,
        usage: ToolUsage | None = None,
        server: Mapping[str, Any] | None = None,
    ) -> StoredRegistry:
        """The next version, there as a whole or not at all. What equals the newest version is that version.

        Raises:
            InvalidRegistryError: a name is impossible, two tools share one, or there are none.
        """
        if not is_registry_name(name):
            raise InvalidRegistryError(f"name: {name!r:.80} is no name of a registry; use letters, digits, . _ and -")
        kept = tuple(tools)
        while True:
            versions = self._versions(name)
            stored = StoredRegistry(
                name=name,
                version=versions[-1] + 1 if versions else 1,
                tools=kept,
                source=source,
                created_s=now_s,
                usage=usage or ToolUsage(),
                server=server,
            )
            _check(stored)
            newest = self.whole(f"{name}@{versions[-1]}") if versions else None
            if newest and (newest.tools, newest.usage, newest.server) == (stored.tools, stored.usage, stored.server):
                return newest
            if self._write(stored):
                return stored

    def whole(self, label: str) -> StoredRegistry | None:
        """A version; None where its file is damaged: to import again is what helps."""
        try:
            return self.load(label)
        except DamagedRegistryError:
            return None

    def _write(self, stored: StoredRegistry) -> bool:
        """Whether it is there now; not where another import was faster, and has taken its number."""
        path = self._path(stored.name, stored.version)
        with temporary_copy(path, _to_json(stored)) as temporary:
            try:
                os.link(temporary, path)
            except FileExistsError:
                return False
        return True

    def _file_of(self, label: str) -> Path:
        name, _, version = label.partition("@")
        versions = self._versions(name) if is_registry_name(name) else []
        wanted = versions[-1] if versions and not version else 0
        if _VERSION.fullmatch(version):
            wanted = int(version)
        if wanted not in versions:
            raise UnknownRegistryError(label, known=self.names())
        return self._path(name, wanted)

    def _versions(self, name: str) -> list[int]:
        return sorted(int(p.stem) for p in (self._folder / name).glob("*.json") if _VERSION.fullmatch(p.stem))

    def _path(self, name: str, version: int) -> Path:
        return self._folder / name / f"{version}.json"


def _check(stored: StoredRegistry) -> None:
    if not stored.tools:
        raise InvalidRegistryError(f"{stored.name}: there are no tools to keep")
    try:
        stored.registry  # noqa: B018 - refuses tools that share a name
    except InvalidToolError as exc:
        raise InvalidRegistryError(str(exc)) from exc


def _to_json(stored: StoredRegistry) -> bytes:
    return orjson.dumps(
        {
            "name": stored.name,
            "version": stored.version,
            "source": stored.source,
            "created_s": stored.created_s,
            "server": stored.server,
            "usage": {"queries": stored.usage.queries, "tool_ids": stored.usage.tool_ids},
            "tools": [{name: getattr(tool, name) for name in StoredTool.__dataclass_fields__} for tool in stored.tools],
        }
    )


def _from_json(path: Path) -> StoredRegistry:
    try:
        read = orjson.loads(read_file(path))
        return StoredRegistry(
            name=read["name"],
            version=read["version"],
            source=read["source"],
            created_s=read["created_s"],
            server=read["server"],
            usage=ToolUsage.of(read["usage"]["queries"], read["usage"]["tool_ids"]),
            tools=tuple(StoredTool(**tool) for tool in read["tools"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as exc:
        problem = exc.strerror if isinstance(exc, OSError) else exc
        place = f"tools/registries/{path.parent.name}/{path.name}"  # clients hear it: not where the state directory is
        raise DamagedRegistryError(f"{path.parent.name}@{path.stem}", place=place, problem=problem) from exc
