"""Operations per generated token, from a model's shape.

Source: reference code of Information Capacity (Yuan et al., arXiv 2511.08066). That code takes a head's size as
hidden / heads, which is wrong for models that state it (Qwen3-0.6B: 128, not 64), and of latent attention it counts
only the latent projections; `reference=True` follows it all the same, for comparison with its published figures.
Routers, norms and biases are ignored, there and here.

Latent attention is counted as it is decoded: queries are brought into the latent space and the cache is read there
(DeepSeek-V2, arXiv 2405.04434). Of hybrids, only some layers attend; the others carry a state of fixed size, which
each token decays, writes and reads (gated delta rule, arXiv 2412.06464; Mamba-2, arXiv 2405.21060).
"""

from dataclasses import dataclass

from catalog.errors import InvalidProfileError

__all__ = ["Shape", "flops_per_token"]

_LENGTH = 1024  # tokens generated from an empty prompt
_STATE_OPERATIONS = 6  # per element of a recurrent state and token: decay, write (two), read (two), and the correction


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
    experts: int | None = None  # routed ones in all; None: a dense model, or not stated
    dense_layers: int = 0  # of a mixture: layers with an ordinary feed-forward network
    dense_ff_size: int | None = None  # of those
    q_lora_rank: int | None = None  # of latent attention: queries are projected down first
    nope_size: int | None = None  # of a latent head: the part without position, the rotary part, and the value
    rope_size: int | None = None
    value_size: int | None = None
    attention_layers: int | None = None  # None: every layer attends
    ff_layers: int | None = None  # None: every layer has a feed-forward network
    output_gate: bool = False  # attention's output is gated by a second query projection
    recurrent_weights: int = 0  # parameters of one recurrent mixer, in the layers that do not attend
    recurrent_state: int = 0  # elements of its state
    recurrent_layers: int = 0
    tied: bool | None = None  # input and output share one embedding; None: not stated

    def __post_init__(self) -> None:
        for name in ("hidden_size", "layers", "heads", "kv_heads", "ff_size", "vocab", "active_experts"):
            if getattr(self, name) <= 0:
                raise InvalidProfileError(f"{name} must be positive, not {getattr(self, name)}")

    @property
    def attending(self) -> int:
        """Layers that keep a cache of everything read."""
        return self.layers if self.attention_layers is None else self.attention_layers

    @property
    def head(self) -> int:
        """Size of an ordinary head."""
        return self.hidden_size // self.heads if self.head_size is None else self.head_size

    @property
    def latent(self) -> tuple[int, int, int, int] | None:
        """Rank of the latent cache and sizes of a head's parts (no position, rotary, value); None where not stated."""
        if self.kv_lora_rank is None or self.nope_size is None or self.rope_size is None or self.value_size is None:
            return None
        return self.kv_lora_rank, self.nope_size, self.rope_size, self.value_size


def flops_per_token(shape: Shape, *, length: int = _LENGTH, reference: bool = False) -> float:
    """Mean floating-point operations per token over `length` tokens generated from an empty prompt.

    Args:
        shape: the model's dimensions.
        length: tokens generated; attention reads a cache that grows from 0 to length - 1.
        reference: as the reference code counts: heads of hidden / heads even where their size is stated, every layer
            alike, and of latent attention only what it counts.
    """
    if reference:
        return _reference(shape, length)
    d = shape.hidden_size
    read = (length - 1) / 2  # mean entries of the cache
    attention = _ordinary(shape, read) if shape.latent is None else _latent(shape, shape.latent, read)
    recurrent = shape.recurrent_layers * (2 * shape.recurrent_weights + _STATE_OPERATIONS * shape.recurrent_state)
    matrices = 6 if shape.gated else 4
    with_ff = (shape.layers if shape.ff_layers is None else shape.ff_layers) - shape.dense_layers
    experts = shape.active_experts + shape.shared_experts
    feed_forward = matrices * d * shape.ff_size * experts * with_ff
    feed_forward += matrices * d * (shape.dense_ff_size or 0) * shape.dense_layers
    return shape.attending * attention + recurrent + feed_forward + 2 * d * shape.vocab


def _ordinary(shape: Shape, read: float) -> float:
    d, heads, head = shape.hidden_size, shape.heads, shape.head
    projections = (6 if shape.output_gate else 4) * d * heads * head + 4 * d * shape.kv_heads * head
    if shape.kv_lora_rank is None:
        return projections + 4 * heads * head * read
    return projections + 4 * heads * head * shape.kv_lora_rank  # parts of a head not stated: as the reference


def _latent(shape: Shape, parts: tuple[int, int, int, int], read: float) -> float:
    d, heads = shape.hidden_size, shape.heads
    rank, nope, rope, value = parts
    query = heads * (nope + rope)
    into_queries = d * query if shape.q_lora_rank is None else shape.q_lora_rank * (d + query)
    weights = into_queries + d * (rank + rope) + heads * rank * (nope + value) + heads * value * d
    return 2 * weights + 2 * heads * (2 * rank + rope) * read


def _reference(shape: Shape, length: int) -> float:
    d, heads = shape.hidden_size, shape.heads
    head = d // heads
    projections = 4 * d * heads * head + 4 * d * shape.kv_heads * head
    experts = shape.active_experts + shape.shared_experts
    feed_forward = (6 if shape.gated else 4) * d * shape.ff_size * experts
    if shape.kv_lora_rank is None:
        attention = 4 * heads * head * (length - 1) / 2
    else:
        attention = 4 * heads * head * shape.kv_lora_rank  # decoding in the latent space re-uses one cache
    return shape.layers * (projections + feed_forward + attention) + 2 * d * shape.vocab
