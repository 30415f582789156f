"""What decisions rest on: the catalog, the predictor, policies, learning, and the choice of tools."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr

from .section import Count, NotNegative, Positive, Section, Share

__all__ = ["CatalogSettings", "LearningSettings", "PolicySettings", "PredictorSettings", "ToolSettings"]


class CatalogSettings(Section):
    """What is known of models."""

    path: Path | None = None  # what `paretogate catalog import` or `refresh` wrote; the shipped one where left out
    overlays: tuple[Path, ...] = ()  # TOML or YAML files of profiles, above it


class PredictorSettings(Section):
    """Which predictor decides."""

    path: Path | None = None  # a folder written by `paretogate train`; the shipped one where left out
    encoder_key: SecretStr | None = None  # of the endpoint that its encoder is behind, if it was trained with one
    shared_encoders: tuple[str, ...] = ()  # that a predictor from the journal's Redis may name, beside the packaged


class PolicySettings(Section):
    """One named policy: soft goals, or a tradeoff on top of a preset."""

    base: str = "balanced"
    weights: dict[str, NotNegative] = Field(default_factory=dict)
    cost_quality_tradeoff: Annotated[float, Field(ge=0, le=10)] | None = None
    require: dict[str, Any] = Field(default_factory=dict)


class LearningSettings(Section):
    """How the gateway learns from its own traffic."""

    explore: Share = 0.02
    refine_every_s: NotNegative = 30.0  # how often `serve` refines its own journal; 0 leaves it to you
    watch_s: Positive = 2.0  # how often a running gateway looks for newly measured facts
    latency_half_life_s: Positive = 3600.0  # speed and errors change by the hour
    length_half_life_s: Positive = 7 * 86_400.0  # how long answers get does not


class ToolSettings(Section):
    """Which tools of a request are sent, and to whom."""

    select: Literal["auto", "off"] = "auto"  # auto: offers of more than `above` tools are cut to those that are needed
    above: Annotated[int, Field(ge=0)] = 20
    top_k: Count = 10  # that a turn adds by ranking, beside those that must stay
    min_score: NotNegative = 0.0  # what ranks below is not sent
    max_tokens: Count | None = None  # of all declarations together
    always: tuple[str, ...] = ()  # tools that are never dropped
    set: str | None = None  # a registry, NAME or NAME@VERSION, whose usage helps to rank
    encoder: Literal["static", "auto"] = (
        "static"  # auto: MiniLM as well, where it is installed; slower and a little better
    )
    deadline_ms: Positive = 1_000.0  # after which all tools are sent, and the index is made for the next request
    search_limit: Count = 5  # deferred tools that a turn loads
    native_search: tuple[str, ...] = ()  # named so by callers, these search deferred tools themselves
    learn: bool = True  # from calls whose results come back; see `paretogate refine`
    half_life_s: Positive = 30 * 86_400.0  # of what was learned
    repair: Literal["off", "repair", "escalate"] = (
        "off"  # of calls that break their schema: ask again, or ask a stronger model
    )
    risk: dict[str, Literal["reads", "writes", "unknown", "destroys"]] = Field(default_factory=dict)  # by tool name
    risky_from: Literal["writes", "unknown", "destroys"] = (
        "destroys"  # tools of this class or above need a trusted model
    )
    max_agent_risk: Share | None = None  # of models that get risky tools; None trusts every model
