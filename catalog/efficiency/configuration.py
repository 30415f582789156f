"""A model's dimensions from its `config.json`, whatever its architecture calls them.

Nested text configurations of multimodal models are followed. Known: dense decoders, grouped queries, mixtures of
experts (routed and shared, dense first layers), multi-head latent attention, heads of a stated size, and hybrids
whose other layers are recurrent (gated delta rule, Mamba-2, Mamba).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

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
    "shared_size": ("shared_expert_intermediate_size", "moe_shared_expert_intermediate_size"),
    "dense_layers": ("first_k_dense_replace",),
    "kv_lora_rank": ("kv_lora_rank",),
    "q_lora_rank": ("q_lora_rank",),
    "nope_size": ("qk_nope_head_dim",),
    "rope_size": ("qk_rope_head_dim",),
    "value_size": ("v_head_dim",),
    "moe_every": ("expert_layer_period", "interleave_moe_layer_step", "decoder_sparse_step"),
    "every": ("full_attention_interval", "attn_layer_period"),
    "delta_keys": ("linear_num_key_heads",),
    "delta_values": ("linear_num_value_heads",),
    "delta_key_size": ("linear_key_head_dim",),
    "delta_value_size": ("linear_value_head_dim",),
    "mamba_heads": ("mamba_num_heads", "mamba_n_heads"),
    "mamba_head_size": ("mamba_head_dim", "mamba_d_head"),
    "mamba_groups": ("n_groups", "mamba_n_groups"),
    "mamba_state": ("ssm_state_size", "mamba_d_state"),
    "mamba_expand": ("mamba_expand",),
}
_UNGATED = frozenset(
    {"gpt2", "gpt_neox", "gptj", "opt", "bloom", "phi", "falcon", "mpt", "gpt_bigcode", "gpt_oss", "nemotron_h"}
)
_OUTPUT_GATED = ("qwen3_next", "qwen3_5")
_MOST = 100_000_000  # no dimension of any model is larger; a hostile file's may be
_MOST_LAYERS = 10_000


class _Layers(NamedTuple):
    """How many layers do what; None: all of them."""

    attention: int | None
    recurrent: int
    feed_forward: int | None


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
    if mixture and size["shared_size"] and ff:
        shared = -(-size["shared_size"] // ff)
    kinds = _layers(told, size, layers)
    dense = _dense_layers(size, layers) if mixture else 0
    weights, state = _recurrent(size, hidden) if kinds.recurrent else (0, 0)
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
        experts=size["experts"] if mixture else None,
        dense_layers=dense,
        dense_ff_size=size["ff_size"] if dense else None,
        gated=model_type not in _UNGATED,
        **{name: size[name] for name in ("kv_lora_rank", "q_lora_rank", "nope_size", "rope_size", "value_size")},
        attention_layers=kinds.attention,
        ff_layers=kinds.feed_forward,
        output_gate=model_type.startswith(_OUTPUT_GATED) or told.get("attn_output_gate") is True,
        recurrent_weights=weights,
        recurrent_state=state,
        recurrent_layers=kinds.recurrent,
        tied=_tied(told, config),
    )


def _dense_layers(size: Mapping[str, int | None], layers: int) -> int:
    """Layers of a mixture that have an ordinary network: the first few, or all but every second."""
    if size["ff_size"] is None:
        return 0
    if (size["moe_every"] or 1) > 1:
        return layers - layers // (size["moe_every"] or 1)
    return min(size["dense_layers"] or 0, layers)


def _layers(told: Mapping[str, Any], size: Mapping[str, int | None], layers: int) -> _Layers:
    """Which layers attend: by their list, by a pattern of letters (Nemotron-H), or every so many."""
    types, pattern = told.get("layer_types"), told.get("hybrid_override_pattern")
    if isinstance(types, list) and "linear_attention" in types:
        attending = sum(kind != "linear_attention" for kind in types[:_MOST_LAYERS])
        return _Layers(attending, min(len(types), layers) - attending, None)
    if isinstance(pattern, str) and pattern:
        return _Layers(pattern.count("*"), pattern.count("M"), pattern.count("-") + pattern.count("E"))
    recurrent = size["delta_values"] is not None or size["mamba_state"] is not None
    if size["every"] and recurrent:
        attending = layers // size["every"]
        return _Layers(attending, layers - attending, None)
    return _Layers(None, 0, None)


def _recurrent(size: Mapping[str, int | None], hidden: int) -> tuple[int, int]:
    """Weights and state of one recurrent mixer; (0, 0) where its dimensions are not stated."""
    keys, values = size["delta_keys"], size["delta_values"]
    if keys and values and (key := size["delta_key_size"]) and (value := size["delta_value_size"]):
        wide = values * value
        return hidden * (2 * keys * key + 2 * wide + 2 * values) + wide * hidden, values * key * value
    inner = (size["mamba_heads"] or 0) * (size["mamba_head_size"] or 0) or (size["mamba_expand"] or 2) * hidden
    state = size["mamba_state"] or 0
    if size["mamba_heads"]:
        groups = size["mamba_groups"] or 1
        return hidden * (2 * inner + 2 * groups * state + size["mamba_heads"]) + inner * hidden, inner * state
    return hidden * 2 * inner + inner * (hidden // 16 + 2 * state) + (hidden // 16) * inner + inner * hidden, (
        inner * state
    )


def _tied(told: Mapping[str, Any], config: Mapping[str, Any]) -> bool | None:
    value = told.get("tie_word_embeddings", config.get("tie_word_embeddings"))
    return value if isinstance(value, bool) else None


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
