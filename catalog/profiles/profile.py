"""What a model is: its weights, its abilities and its limits, wherever it is served."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType

from catalog.errors import InvalidProfileError

from .derived_fact import DerivedFact
from .measurement import Measurement
from .price import MOST_TOKENS, Price
from .provenance import Provenance, Trust

__all__ = ["CAPABILITIES", "Ability", "ModelProfile"]

CAPABILITIES = frozenset({"tools", "vision", "audio", "json_schema", "reasoning", "streaming", "logprobs"})

_POSITIVE = (
    *("params_total_b", "params_active_b", "context_tokens", "max_output_tokens"),
    *("tokens_per_s", "tokens_per_char", "output_tokens_mean"),
)
_RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "energy_wh_per_mtok": (0.0, float("inf")),
        "ttft_s": (0.0, float("inf")),
        "risk_cvar95": (0.0, float("inf")),
        **dict.fromkeys(("agent_risk", "harm", "bias", "hallucination_rate", "documentation"), (0.0, 1.0)),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ability:
    """A latent ability estimated from benchmark scores, on a logit scale whose zero is the average model."""

    mean: float
    se: float
    n_benchmarks: int = 0

    def __post_init__(self) -> None:
        if not self.se >= 0:
            raise InvalidProfileError(f"the standard error of an ability must not be negative, but is {self.se}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelProfile:
    """One model. Everything optional is None (or absent) when no source states it, never 0.

    `price` is the maker's list price, used for planning where no backend serves the model.
    `provenance` maps a field's name to the source of its value. `derived` holds what follows from the facts when the
    catalog was compiled; it is dropped when a fact that it rests on changes.
    """

    id: str  # "owner/name", the catalog id
    name: str
    family: str | None = None
    base_model: str | None = None
    version: str | None = None  # ours, MAJOR.MINOR.PATCH: see `identity.next_version`
    digest: str | None = None  # of the weights, or the provider's snapshot: a name alone identifies nothing
    snapshot_of: str | None = None  # id of the undated name that this is a dated release of
    aliases: tuple[str, ...] = ()
    params_total_b: float | None = None
    params_active_b: float | None = None
    architecture: str | None = None
    tokenizer: str | None = None  # one of `catalog.structure.tokenizers`
    license: str | None = None  # an SPDX id, or "proprietary"
    open_weights: bool | None = None
    released: date | None = None
    knowledge_cutoff: date | None = None
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    modalities_in: frozenset[str] = frozenset({"text"})
    modalities_out: frozenset[str] = frozenset({"text"})
    capabilities: frozenset[str] = frozenset({"streaming"})
    price: Price | None = None
    ability: Mapping[str, Ability] = field(default_factory=lambda: MappingProxyType({}))  # axis -> Ability; "general"
    output_tokens_mean: float | None = None
    tokens_per_char: float | None = None
    ttft_s: float | None = None
    tokens_per_s: float | None = None
    energy_wh_per_mtok: float | None = None
    readability: float | None = None  # Flesch reading ease of its answers, 0..100
    risk_cvar95: float | None = None  # mean log-risk of the worst twentieth of prompts, 0 or more
    agent_risk: float | None = None  # share of runs under pressure in which it called a tool it must not, 0..1
    harm: float | None = None  # mean probability that an answer does harm, 0..1
    bias: float | None = None  # spread of its scores between groups of people, 0..1
    hallucination_rate: float | None = None  # share of summaries with an invented fact, 0..1
    documentation: float | None = None  # share of a model card's sections that are filled, 0..1
    carbon_reporting: str | None = None  # R0..R3, see `efficiency.emissions`
    derived: Mapping[str, DerivedFact] = field(default_factory=lambda: MappingProxyType({}))  # by name
    measured: Mapping[str, Measurement] = field(default_factory=lambda: MappingProxyType({}))  # by us, by name
    provenance: Mapping[str, Provenance] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        if "/" not in self.id or self.id != self.id.strip():
            raise InvalidProfileError(f"a catalog id has the form owner/name, not {self.id!r:.200}")
        if unknown := self.capabilities - CAPABILITIES:
            raise InvalidProfileError(
                f"{self.id}: unknown capabilities {sorted(unknown)}; known: {sorted(CAPABILITIES)}"
            )
        for name in _POSITIVE:
            value = getattr(self, name)
            if value is not None and not 0 < value <= MOST_TOKENS:
                limit = "positive" if value <= 0 else f"at most {MOST_TOKENS:g}"
                raise InvalidProfileError(f"{self.id}: {name} must be {limit} or unknown, not {value!r:.40}")
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                limit = f"between {least:g} and {most:g}" if most < float("inf") else f"{least:g} or more"
                raise InvalidProfileError(f"{self.id}: {name} must be {limit} or unknown, not {value}")

    @property
    def has_measured_ability(self) -> bool:
        """Whether a general ability rests on the model's own answers, and not on what siblings or a formula tell."""
        general, source = self.ability.get("general"), self.source_of_ability("general")
        if general is None:
            return False
        return general.n_benchmarks > 0 or source is None or source.trust is not Trust.INFERRED

    def source_of_ability(self, axis: str) -> Provenance | None:
        """Where the ability on one axis comes from: an axis may have a source of its own."""
        return self.provenance.get(f"ability.{axis}") or self.provenance.get("ability")

    @property
    def owner(self) -> str:
        """Who publishes the model: the part of the id before the slash."""
        return self.id.partition("/")[0]
