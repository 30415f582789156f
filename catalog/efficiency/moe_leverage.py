"""What a mixture of experts is worth in a dense model's training operations, at equal loss.

    leverage      activation'^(a + d log10(operations) + gamma log2(granularity)^2 + beta log2(granularity))
    activation'   the share of active experts, saturated near 0 and near 1

The paper does not state the bases of its logarithms. Only log10 of the operations with log2 of the granularity gives
back both facts it reports (leverage above 7 at 3.1 % activation, granularity 12 and 1e22 operations; best granularity
between 8 and 12), so those are used. The leverage is one of training loss: memory still follows all parameters.

Source: Tian et al., Towards Greater Leverage, arXiv 2507.17702, equation 13 and table 2.
"""

import math

from catalog.errors import InvalidProfileError

__all__ = ["best_granularity", "efficiency_leverage", "granularity"]

_A, _D = 1.23, -7.61e-2
_GAMMA, _BETA = 1.67e-2, -1.17e-1
_START, _MOST = 1.63e-2, 5.28e16  # of the saturated activation: what it is at 0, and its limit


def efficiency_leverage(*, activation: float, granularity: float, training_flops: float) -> float:
    """Operations a dense model needs for the same loss, by those of the mixture.

    Args:
        activation: active experts / all experts, the shared ones included, in (0, 1].
        granularity: 2 x hidden size / size of an expert.
        training_flops: operations spent in training the mixture.
    """
    if not 0 < activation <= 1 or granularity <= 0 or training_flops <= 1:
        raise InvalidProfileError("activation must be in (0, 1], granularity positive, training_flops above 1")
    offset = 1.0 / (1.0 / _START - 1.0 / _MOST)
    saturated = 1.0 / (1.0 / (activation + offset) + 1.0 / _MOST)
    fineness = math.log2(granularity)
    exponent = _A + _D * math.log10(training_flops) + _GAMMA * fineness**2 + _BETA * fineness
    leverage: float = saturated**exponent
    return leverage


def granularity(*, hidden_size: int, expert_size: int) -> float:
    """How finely the experts are cut."""
    return 2.0 * hidden_size / expert_size


def best_granularity() -> float:
    """The granularity of most leverage, whatever the activation and the operations."""
    return float(2.0 ** (-_BETA / (2.0 * _GAMMA)))
