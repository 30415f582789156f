"""Operations per generated token, from a model's shape.

Source: reference code of Information Capacity (Yuan et al., arXiv 2511.08066). That code takes a head's size as
hidden / heads, which is wrong for models that state it (Qwen3-0.6B: 128, not 64); `reference=True` follows it all
the same, for comparison with its published figures. Routers, norms and biases are ignored, there and here.
"""

from dataclasses import dataclass

from catalog.errors import InvalidProfileError

__all__ = ["Shape", "flops_per_token"]

_LENGTH = 1024  # tokens generated from an empty prompt


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The dimensions of a decoder. For a mixture of experts `ff_size` is that of one expert."""

    hidden_size: int
    layers: int
    heads: int
    kv_heads: int
    ff_size: int
    vocab: int
    head_size: int | None = None  # None: hidden_size / heads
    active_experts: int = 1  # routed ones per token, 1 for a dense model
    shared_experts: int = 0
    gated: bool = True  # two up-projections and one down; ungated: one and one
    kv_lora_rank: int | None = None  # of multi-head latent attention

    def __post_init__(self) -> None:
        for name in ("hidden_size", "layers", "heads", "kv_heads", "ff_size", "vocab", "active_experts"):
            if getattr(self, name) <= 0:
                raise InvalidProfileError(f"{name} must be positive, not {getattr(self, name)}")


def flops_per_token(shape: Shape, *, length: int = _LENGTH, reference: bool = False) -> float:
    """Mean floating-point operations per token over `length` tokens generated from an empty prompt.

    Args:
        shape: the model's dimensions.
        length: tokens generated; attention reads a cache that grows from 0 to length - 1.
        reference: take heads as hidden / heads even where their size is stated, as the reference code does.
    """
    d, heads = shape.hidden_size, shape.heads
    head = d // heads if reference or shape.head_size is None else shape.head_size
    projections = 4 * d * heads * head + 4 * d * shape.kv_heads * head
    experts = shape.active_experts + shape.shared_experts
    feed_forward = (6 if shape.gated else 4) * d * shape.ff_size * experts
    if shape.kv_lora_rank is None:
        attention = 4 * heads * head * (length - 1) / 2
    else:
        attention = 4 * heads * head * shape.kv_lora_rank  # decoding in the latent space re-uses one cache
    return shape.layers * (projections + feed_forward + attention) + 2 * d * shape.vocab
