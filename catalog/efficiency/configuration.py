"""A model's dimensions from its `config.json`, whatever its architecture calls them.

Nested text configurations of multimodal models are followed. Known: dense decoders, grouped queries, mixtures of
experts (routed and shared), multi-head latent attention, heads of a stated size.
"""

from collections.abc import Mapping
from typing import Any

from catalog.errors import InvalidProfileError

from .flops import Shape

__all__ = ["shape_of"]

_NAMES: Mapping[str, tuple[str, ...]] = {
    "hidden_size": ("hidden_size", "n_embd", "d_model", "dim"),
    "layers": ("num_hidden_layers", "n_layer", "num_layers", "n_layers"),
    "heads": ("num_attention_heads", "n_head", "num_heads", "n_heads"),
    "kv_heads": ("num_key_value_heads", "n_kv_heads", "num_kv_heads"),
    "ff_size": ("intermediate_size", "n_inner", "ffn_dim", "d_ff", "ffn_hidden_size"),
    "expert_size": ("moe_intermediate_size", "expert_ffn_hidden_size"),
    "vocab": ("vocab_size",),
    "head_size": ("head_dim",),
    "experts": ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts"),
    "active_experts": ("num_experts_per_tok", "experts_per_token", "num_experts_per_token", "moe_top_k", "moe_topk"),
    "shared_experts": ("n_shared_experts", "num_shared_experts", "moe_num_shared_experts"),
    "shared_size": ("shared_expert_intermediate_size",),
    "kv_lora_rank": ("kv_lora_rank",),
}
_UNGATED = frozenset({"gpt2", "gpt_neox", "gptj", "opt", "bloom", "phi", "falcon", "mpt", "gpt_bigcode", "gpt_oss"})
_MOST = 100_000_000  # no dimension of any model is larger; a hostile file's may be


def shape_of(config: Mapping[str, Any]) -> Shape:
    """The dimensions of a decoder.

    Raises:
        InvalidProfileError: a dimension that the count of operations needs is missing, or is no sensible number; the
            message names the field.
    """
    nested = config.get("text_config")
    told = nested if isinstance(nested, Mapping) and "hidden_size" in nested else config
    size = {name: _dimension(told, names) for name, names in _NAMES.items()}
    hidden, layers, heads = (_needed(size[name], name) for name in ("hidden_size", "layers", "heads"))
    mixture = (size["experts"] or 0) > 1
    model_type = str(told.get("model_type") or config.get("model_type") or "")
    ff = size["expert_size"] if mixture and size["expert_size"] else size["ff_size"]
    if ff is None and model_type in _UNGATED:
        ff = 4 * hidden  # GPT-2 and its kin leave the customary size unsaid
    shared = size["shared_experts"] or 0
    if mixture and not shared and size["shared_size"] and ff:
        shared = -(-size["shared_size"] // ff)
    return Shape(
        hidden_size=hidden,
        layers=layers,
        heads=heads,
        kv_heads=size["kv_heads"] or (1 if told.get("multi_query") is True else heads),
        ff_size=_needed(ff, "ff_size"),
        vocab=_needed(size["vocab"], "vocab"),
        head_size=size["head_size"],
        active_experts=_needed(size["active_experts"], "active_experts") if mixture else 1,
        shared_experts=shared if mixture else 0,
        gated=model_type not in _UNGATED,
        kv_lora_rank=size["kv_lora_rank"],
    )


def _dimension(config: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    for name in names:
        value = config.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST:
            raise InvalidProfileError(f"{name} must be a whole number up to {_MOST}, not {value!r:.40}")
        return value or None
    return None


def _needed(value: int | None, name: str) -> int:
    if value is None:
        raise InvalidProfileError(f"{name} is missing; looked for {', '.join(_NAMES[name])}")
    return value
