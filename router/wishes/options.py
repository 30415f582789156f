"""How a caller wants one request routed: the `routing` object in its one canonical form."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from .constraints import Constraints

__all__ = ["OnInfeasible", "RoutingOptions"]

OnInfeasible = Literal["fail", "closest", "cheapest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingOptions:
    """Constraints, preferences and switches. Every way of saying the same thing gives the same options."""

    policy: str = "balanced"
    weights: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))  # soft goals, >= 0
    cost_quality_tradeoff: float | None = None  # 0 quality only .. 10 cost only
    willingness_to_pay_usd: float | None = None  # for one whole point of quality, from 0 to 1 (Martian's knob)
    require: Constraints = field(default_factory=Constraints)
    allow: tuple[str, ...] = ()  # globs over catalog ids; empty admits all
    deny: tuple[str, ...] = ()
    order: tuple[str, ...] = ()  # the caller's own fallback list (`models[]`), tried before the ranking
    on_infeasible: OnInfeasible = "fail"
    allow_fallbacks: bool = True
    explore: bool = True
    explain: bool = False
    route_only: bool = False
    session_id: str | None = None
    tools: Mapping[str, object] | None = None
