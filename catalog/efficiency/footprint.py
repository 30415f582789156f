"""How large a model is and what it keeps in memory, counted from its dimensions.

The count is also the catalog's check on sizes that sources state: a registry's slip of the pen does not survive it.
Norms, biases, routers and position tables are left out: below one percent of any model of a billion and more.
"""

from dataclasses import dataclass

from .flops import Shape

__all__ = ["Parameters", "cache_bytes_per_token", "count_parameters", "state_bytes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """Counted weights. `active` are those that one token meets."""

    total: int
    active: int


def count_parameters(shape: Shape) -> Parameters | None:
    """Weights of embeddings, attention, recurrent mixers and feed-forward networks.

    None for a mixture whose number of experts is not stated, and for latent attention whose heads' parts are not.
    Where nobody says whether input and output share an embedding, they are taken as shared below a hidden size of
    2,560 and as separate from there on, as most published models have it.
    """
    mixture = shape.active_experts + shape.shared_experts > 1
    if (mixture and shape.experts is None) or (shape.kv_lora_rank is not None and shape.latent is None):
        return None
    d = shape.hidden_size
    one_network = (3 if shape.gated else 2) * d
    with_ff = (shape.layers if shape.ff_layers is None else shape.ff_layers) - shape.dense_layers
    everywhere = shape.attending * _attention(shape) + shape.recurrent_layers * shape.recurrent_weights
    everywhere += shape.dense_layers * one_network * (shape.dense_ff_size or 0)
    stored = (shape.experts or 1) + shape.shared_experts
    met = shape.active_experts + shape.shared_experts
    tied = shape.tied if shape.tied is not None else d < _SHARING_ENDS
    embeddings = d * shape.vocab * (1 if tied else 2)
    each = one_network * shape.ff_size * with_ff
    return Parameters(
        total=everywhere + each * stored + embeddings,
        active=everywhere + each * met + embeddings,
    )


def cache_bytes_per_token(shape: Shape, *, bytes_per_element: int = 2) -> int | None:
    """What one token of context keeps in the cache; an upper bound where windows slide.

    None for latent attention whose rotary part is not stated.
    """
    if shape.kv_lora_rank is not None:
        if shape.rope_size is None:
            return None
        return shape.attending * (shape.kv_lora_rank + shape.rope_size) * bytes_per_element
    return shape.attending * 2 * shape.kv_heads * shape.head * bytes_per_element


def state_bytes(shape: Shape, *, bytes_per_element: int = 4) -> int:
    """What a hybrid keeps of a conversation of any length, beside its cache; 0 for a model that only attends."""
    return shape.recurrent_layers * shape.recurrent_state * bytes_per_element


_SHARING_ENDS = 2560  # hidden size from which published models mostly keep two embeddings


def _attention(shape: Shape) -> int:
    d, heads = shape.hidden_size, shape.heads
    if shape.latent is None:
        return (3 if shape.output_gate else 2) * d * heads * shape.head + 2 * d * shape.kv_heads * shape.head
    rank, nope, rope, value = shape.latent
    query = heads * (nope + rope)
    into_queries = d * query if shape.q_lora_rank is None else shape.q_lora_rank * (d + query)
    return into_queries + d * (rank + rope) + heads * rank * (nope + value) + heads * value * d
