"""How long a model takes on named hardware, free of whatever its provider does to serve it faster or slower.

    T(p, o) = R(p) + beta (o - 1)

with R(p) the time to read p prompt tokens and give the first, and beta the time of each further token.

Source: Narayanan et al., Cheaply Estimating Inference Efficiency Metrics, NeurIPS 2023, arXiv 2305.02440; tables of
helm-efficiency for A100 and Megatron.
"""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from catalog.errors import InvalidProfileError

__all__ = ["A100_USD_PER_HOUR", "DAVINCI", "RuntimeProfile", "idealized_flops"]

A100_USD_PER_HOUR = 4.096


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeProfile:
    """What was measured of one model on one kind of machine."""

    seconds_per_output_token: float
    prompt_s: Mapping[int, float]  # prompt tokens -> seconds to the first token, at the sizes that were measured
    gpus: int = 1

    def __post_init__(self) -> None:
        if not self.prompt_s or min(self.prompt_s) <= 0 or self.gpus <= 0 or self.seconds_per_output_token < 0:
            raise InvalidProfileError("a runtime profile needs measured prompt times, a GPU and a time per token")

    def prompt_time_s(self, prompt_tokens: int, *, reference: bool = False) -> float:
        """Seconds to the first token.

        Between measured sizes: linear, and never below the smallest measured time. `reference=True` scales the next
        larger size down instead, as the authors' code does, which makes short prompts look free. Beyond the largest
        size both scale it up.
        """
        sizes = sorted(self.prompt_s)
        at = bisect_left(sizes, prompt_tokens)
        if at == len(sizes):
            return self.prompt_s[sizes[-1]] * prompt_tokens / sizes[-1]
        above = sizes[at]
        if reference:
            return self.prompt_s[above] * prompt_tokens / above
        if at == 0:
            return self.prompt_s[above]
        below = sizes[at - 1]
        share = (prompt_tokens - below) / (above - below)
        return self.prompt_s[below] + share * (self.prompt_s[above] - self.prompt_s[below])

    def runtime_s(self, *, prompt_tokens: int, output_tokens: int, reference: bool = False) -> float:
        """Seconds of the whole call."""
        read = self.prompt_time_s(prompt_tokens, reference=reference)
        return read + self.seconds_per_output_token * (output_tokens - 1) if output_tokens > 0 else read

    def cost_usd(
        self, *, prompt_tokens: int, output_tokens: int, usd_per_gpu_hour: float, reference: bool = False
    ) -> float:
        """Dollars of the machine's time."""
        seconds = self.runtime_s(prompt_tokens=prompt_tokens, output_tokens=output_tokens, reference=reference)
        return seconds * usd_per_gpu_hour * self.gpus / 3600.0


def idealized_flops(*, hidden_size: int, layers: int, prompt_tokens: int, output_tokens: int) -> float:
    """The authors' count of operations: 24 h^2 per layer and token."""
    return 24.0 * hidden_size**2 * (prompt_tokens + output_tokens - 1) * layers


DAVINCI = RuntimeProfile(
    seconds_per_output_token=0.081,
    prompt_s=MappingProxyType({1: 0.084, 320: 0.134, 512: 0.178, 1024: 0.323, 1920: 0.597}),
    gpus=8,
)
