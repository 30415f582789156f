"""Carbon and energy: how fully a model's training emissions are reported, and what one request costs.

The published classification's thresholds were not available; these classes are ours:

    R0 nothing   R1 grams only   R2 grams, hardware, and place or source   R3 all five fields

Source of the fields: the `co2_eq_emissions` of model cards; of the idea: arXiv 2305.11164, ESEM 2023.
"""

from dataclasses import dataclass
from typing import Literal

from catalog.errors import InvalidProfileError

__all__ = ["Emissions", "ReportingClass", "energy_wh", "grams_per_request", "reporting_class"]

ReportingClass = Literal["R0", "R1", "R2", "R3"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Emissions:
    """What a model card reports of the emissions of training."""

    grams: float
    source: str | None = None
    training_type: str | None = None
    location: str | None = None
    hardware: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.grams < float("inf"):
            raise InvalidProfileError(f"emissions must be grams of CO2e, 0 or more, not {self.grams}")


def reporting_class(emissions: Emissions | None) -> ReportingClass:
    """How much the report lets a reader check."""
    if emissions is None:
        return "R0"
    if all((emissions.source, emissions.training_type, emissions.location, emissions.hardware)):
        return "R3"
    return "R2" if emissions.hardware and (emissions.location or emissions.source) else "R1"


def energy_wh(*, runtime_s: float, power_w: float, power_usage_effectiveness: float = 1.2) -> float:
    """Energy of one request, watt-hours: runtime x power of its machines x what the building adds."""
    if min(runtime_s, power_w) < 0 or power_usage_effectiveness < 1:
        raise InvalidProfileError("runtime and power must not be negative, and no building uses less than its machines")
    return runtime_s * power_w * power_usage_effectiveness / 3600.0


def grams_per_request(*, energy_wh: float, grid_grams_per_kwh: float) -> float:
    """CO2e of one request on a grid of this intensity."""
    return energy_wh / 1000.0 * grid_grams_per_kwh
