"""How tools are to be chosen for one request, as deployment, key and request say; the later word wins."""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from gateway.keys import ApiKey
from gateway.settings import ToolSettings

__all__ = ["ToolWishes", "wishes_of"]

_NARROWING = ("top_k", "min_score", "max_tokens", "set")  # whoever says one of these wants few tools, however many came


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolWishes:
    """One request's wishes about its tools."""

    select: str  # auto or off
    above: int  # offers of at most so many tools are sent whole
    top_k: int
    min_score: float
    max_tokens: int | None
    always: frozenset[str]
    set: str | None  # a stored registry, NAME or NAME@VERSION
    allow: tuple[str, ...]  # globs over names that the key may use; empty admits all
    deny: tuple[str, ...]
    refine: int  # rounds at most; 0: off
    repair: str  # off, repair or escalate
    max_agent_risk: float | None  # of models that get risky tools

    @property
    def restricts(self) -> bool:
        """Whether there are tools that the key may not use."""
        return bool(self.allow or self.deny)

    def may_use(self, name: str) -> bool:
        """Whether the key may use a tool."""
        allowed = not self.allow or any(fnmatchcase(name, glob) for glob in self.allow)
        return allowed and not self._denies(name)

    def may_search(self, name: str) -> bool:
        """Whether the key may bring this search tool: a list of allowed tools need not name it, one of denied can."""
        return not self._denies(name)

    def may_use_kind(self, kind: str) -> bool:
        """Whether the key may use a provider's own tool that has no name: a list of allowed tools must say its kind."""
        return bool(self.allow) and self.may_use(kind)

    def _denies(self, name: str) -> bool:
        """By the whole name, or by what stands behind a namespace: `NAMESPACE__NAME`, however many there are."""
        bare = [name[at + 2 :] for at in range(len(name) - 2) if name.startswith("__", at)] if "__" in name else ()
        return any(fnmatchcase(called, glob) for glob in self.deny for called in (name, *bare))


def wishes_of(settings: ToolSettings, key: ApiKey | None, said: Mapping[str, Any] | None) -> ToolWishes:
    """Join them.

    Args:
        settings: `[tools]`.
        key: whose permissions hold whatever the request says.
        said: `routing.tools`.
    """
    said = said or {}
    keyed = {name: getattr(key, f"tools_{name}", None) for name in ("select", "top_k", "max_tokens")}
    own = {name: value for name, value in keyed.items() if value is not None}
    base = {name: getattr(settings, name) for name in ("select", "top_k", "min_score", "max_tokens", "set", "repair")}
    found = {**base, **own, **said}
    caps = [cap for cap in (settings.max_agent_risk, key.max_agent_risk if key else None) if cap is not None]
    return ToolWishes(
        select=found["select"],
        above=0 if any(name in said for name in _NARROWING) else settings.above,
        top_k=int(found["top_k"]),
        min_score=float(found["min_score"]),
        max_tokens=None if found["max_tokens"] is None else int(found["max_tokens"]),
        always=frozenset({*settings.always, *said.get("always", ())}),
        set=found["set"],
        allow=key.tools_allow if key else (),
        deny=key.tools_deny if key else (),
        refine=int(said.get("refine", 0)),
        repair=found["repair"],
        max_agent_risk=min(caps) if caps else None,
    )
