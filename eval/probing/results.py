"""What a probing procedure is given, and what it measures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from catalog import Ability, ModelProfile
from catalog.capability.canary import Canary
from predictors.features import Features
from predictors.quality import QualityModel

from .bank import Question

__all__ = ["Fact", "ProbeResult", "Subject"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Who is probed, with what."""

    profile: ModelProfile
    questions: Sequence[Question]
    quality: QualityModel
    features: Features
    texts: Sequence[str] = ()  # to measure information capacity on
    siblings: Mapping[str, Sequence[str]] = field(default_factory=lambda: MappingProxyType({}))  # answers to canaries


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One measured number. A `field` of the profile is set by it; anything else is a measurement beside the fields."""

    name: str
    value: float
    unit: str
    n: int
    method: str
    se: float | None = None
    field: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """What one procedure found. `note` says what was left out, and why; `complete` is false where the budget ended."""

    procedure: str
    facts: tuple[Fact, ...] = ()
    ability: Ability | None = None
    canaries: tuple[Canary, ...] = ()
    self_mismatch: float | None = None
    complete: bool = True
    note: str = ""
