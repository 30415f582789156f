"""What the answer must satisfy: the caller's hard constraints, none of which is ever relaxed silently."""

from dataclasses import dataclass
from datetime import date

from catalog import DeploymentTier, PrivacyTier

__all__ = ["Constraints"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraints:
    """All optional, all conjunctive. A candidate for which the constrained fact is unknown is rejected."""

    max_cost_usd: float | None = None  # this request, expected
    max_input_usd_per_mtok: float | None = None
    max_output_usd_per_mtok: float | None = None
    max_latency_s: float | None = None
    max_ttft_s: float | None = None
    min_quality: float | None = None  # the lower bound at `confidence`; 0.5 is the mean
    confidence: float = 0.5
    max_params_b: float | None = None
    max_active_params_b: float | None = None
    released_after: date | None = None
    knowledge_after: date | None = None
    licenses: frozenset[str] | None = None
    providers: frozenset[str] | None = None
    exclude_providers: frozenset[str] = frozenset()
    regions: frozenset[str] | None = None
    privacy: PrivacyTier = "any"
    tiers: frozenset[DeploymentTier] | None = None
    capabilities: frozenset[str] = frozenset()
    min_context: int | None = None
    max_energy_wh: float | None = None
    max_risk: float | None = None
    max_agent_risk: float | None = None
    quantizations: frozenset[str] | None = None
