"""How much a model compresses text for the operations it spends.

    capacity = (text size - negative log-likelihood + bias) / log2(operations per token)

all three in bits per token. Within a series of models it is about constant, so the likelihood of an unmeasured
sibling follows from its size.

Source: Yuan et al., Information Capacity, arXiv 2511.08066.
"""

import math
from collections.abc import Mapping
from types import MappingProxyType

from catalog.errors import InvalidProfileError

__all__ = ["BIAS_BITS", "OTHER_TEXT_BIAS_BITS", "information_capacity", "sibling_nll_bits"]

BIAS_BITS: Mapping[str, float] = MappingProxyType({"mixed_text": -24.0, "ch_fineweb_edu": -18.7})
OTHER_TEXT_BIAS_BITS = -27.0


def information_capacity(
    *, text_size_bits: float, nll_bits: float, flops_per_token: float, bias_bits: float = BIAS_BITS["mixed_text"]
) -> float:
    """Capacity, dimensionless.

    Args:
        text_size_bits: mean size of a token's text, bits (8 x UTF-8 bytes / tokens), averaged over samples.
        nll_bits: mean -log2 p of a token given those before it.
        flops_per_token: see `flops_per_token`.
        bias_bits: the published constant of the text set that was measured.
    """
    return (text_size_bits - nll_bits + bias_bits) / _log2(flops_per_token)


def sibling_nll_bits(
    *, text_size_bits: float, capacity: float, flops_per_token: float, bias_bits: float = BIAS_BITS["mixed_text"]
) -> float:
    """Expected -log2 p per token of another size of the same series, which shares tokenizer and capacity."""
    return text_size_bits + bias_bits - capacity * _log2(flops_per_token)


def _log2(flops_per_token: float) -> float:
    if not flops_per_token > 1:
        raise InvalidProfileError(f"operations per token must be above 1, not {flops_per_token}")
    return math.log2(flops_per_token)
