"""Ten models measured on A100 with Megatron, and what they tell of any size: time to read and to write a token.

Time of all its GPUs together grows as a power of the parameters; the fit's spread is the band of what it says.

Source: Narayanan et al., Cheaply Estimating Inference Efficiency Metrics, NeurIPS 2023, arXiv 2305.02440, and the
tables of helm-efficiency.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import numpy as np

from .idealized_runtime import RuntimeProfile

__all__ = ["REFERENCE_RUNTIMES", "GpuTime", "gpu_time"]


def _measured(beta: float, gpus: int, *prompt_s: float) -> RuntimeProfile:
    times = dict(zip((1, 512, 1024, 1920), prompt_s, strict=True))
    return RuntimeProfile(seconds_per_output_token=beta, prompt_s=MappingProxyType(times), gpus=gpus)


# Parameters in billions, and the profile.
REFERENCE_RUNTIMES: Mapping[str, tuple[float, RuntimeProfile]] = MappingProxyType(
    {
        "davinci": (175, _measured(0.081, 8, 0.084, 0.178, 0.323, 0.597)),
        "curie": (7.5, _measured(0.024, 1, 0.027, 0.047, 0.089, 0.167)),
        "J1-Grande": (17, _measured(0.038, 1, 0.041, 0.097, 0.190, 0.380)),
        "J1-Jumbo": (178, _measured(0.064, 8, 0.069, 0.164, 0.310, 0.603)),
        "Cohere xlarge": (52, _measured(0.054, 4, 0.055, 0.108, 0.189, 0.342)),
        "GPT-J": (6, _measured(0.021, 1, 0.023, 0.042, 0.076, 0.142)),
        "GPT-NeoX": (20, _measured(0.033, 1, 0.035, 0.114, 0.234, 0.442)),
        "BLOOM": (176, _measured(0.061, 8, 0.068, 0.191, 0.347, 0.669)),
        "YaLM": (100, _measured(0.068, 4, 0.071, 0.284, 0.527, 1.006)),
        "TNLGv2": (530, _measured(0.123, 24, 0.125, 0.490, 0.951, 1.852)),
    }
)
_PROMPT = 1024  # tokens that reading is fitted at


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuTime:
    """Seconds of one A100, all GPUs of a model added up."""

    per_output_token_s: float
    per_prompt_token_s: float
    factor: float  # the band of either
    extrapolated: bool

    def request_s(self, *, prompt_tokens: int, output_tokens: int) -> float:
        """Seconds of a whole request, alone on its machines."""
        return self.per_prompt_token_s * prompt_tokens + self.per_output_token_s * output_tokens


def gpu_time(params_b: float) -> GpuTime:
    """What a dense model of so many (active) parameters takes, by the fit over the ten."""
    (start, slope, spread), (start_read, slope_read, spread_read) = _fits()
    sizes = [size for size, _ in REFERENCE_RUNTIMES.values()]
    return GpuTime(
        per_output_token_s=float(np.exp(start + slope * np.log(params_b))),
        per_prompt_token_s=float(np.exp(start_read + slope_read * np.log(params_b))) / _PROMPT,
        factor=float(np.exp(max(spread, spread_read))),
        extrapolated=not min(sizes) <= params_b <= max(sizes),
    )


@cache
def _fits() -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    sizes = np.log([size for size, _ in REFERENCE_RUNTIMES.values()])
    written = [p.gpus * p.seconds_per_output_token for _, p in REFERENCE_RUNTIMES.values()]
    read = [p.gpus * p.prompt_time_s(_PROMPT) for _, p in REFERENCE_RUNTIMES.values()]
    return _line(sizes, written), _line(sizes, read)


def _line(sizes: "np.typing.NDArray[np.float64]", seconds: list[float]) -> tuple[float, float, float]:
    """Start, slope and spread of the logarithms."""
    slope, start = np.polyfit(sizes, np.log(seconds), 1)
    spread = np.std(np.log(seconds) - start - slope * sizes, ddof=2)
    return float(start), float(slope), float(spread)
