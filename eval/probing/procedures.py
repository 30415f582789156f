"""The procedures by name, and how a budget is shared among those that were asked for."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from .asking import Asking
from .formats import probe_context_format, probe_format_spread
from .habits import probe_bias, probe_canaries
from .machine import probe_capacity, probe_latency
from .quality import probe_quality
from .results import ProbeResult, Subject

__all__ = ["PROCEDURES", "ProbeResult", "Subject", "run_procedure", "shares"]

PROCEDURES: Mapping[str, Callable[..., ProbeResult]] = MappingProxyType(
    {
        "quality": probe_quality,
        "capacity": probe_capacity,
        "format": probe_format_spread,
        "context": probe_context_format,
        "bias": probe_bias,
        "canary": probe_canaries,
        "latency": probe_latency,
    }
)
_WEIGHT = {"quality": 4, "capacity": 0, "format": 4, "context": 1, "bias": 2, "canary": 2, "latency": 1}
_FEW = 4  # texts are few: capacity counts one call for each


def shares(what: Sequence[str], budget: int) -> dict[str, int]:
    """Calls for each procedure, in the order asked for, together never more than the budget."""
    few = min(_FEW, budget) if "capacity" in what else 0
    whole = sum(_WEIGHT[name] for name in what) or 1
    return {name: few if name == "capacity" else (budget - few) * _WEIGHT[name] // whole for name in what}


def run_procedure(name: str, subject: Subject, asking: Asking, *, calls: int) -> ProbeResult:
    """Run one procedure; the budget as a whole is kept by `asking`."""
    return PROCEDURES[name](subject, asking, calls=calls)
