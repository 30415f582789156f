"""What each candidate would do with a query: the numbers the router decides on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from catalog import Floats, record

__all__ = ["Forecast", "Load"]


@record
class Forecast:
    """Every array has shape (n_candidates,), in the pool's order.

    NaN means "no basis for a forecast": an unpriced model has no cost, an unmeasured one perhaps no latency.
    Quality always has a value; with nothing known it is the mean over models, with a wide error.
    """

    quality: Floats  # expected score in [0, 1]
    quality_se: Floats  # its standard error
    output_tokens: Floats
    output_tokens_sd: Floats
    cost_usd: Floats
    cost_usd_sd: Floats
    ttft_s: Floats
    ttft_s_sd: Floats
    latency_s: Floats  # the whole call
    latency_s_sd: Floats
    familiarity: float  # 1: like the training prompts; 0: unlike anything seen, quality is the models' global mean
    length_ratio: float = 1.0  # of an answer to this prompt to one to the average prompt, whoever writes it


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How busy the backends are right now."""

    waiting: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))  # backend id -> queued requests
    running: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
