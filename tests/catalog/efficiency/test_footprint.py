import pytest

from catalog.efficiency.configuration import shape_of
from catalog.efficiency.flops import Shape, flops_per_token
from catalog.efficiency.footprint import cache_bytes_per_token, count_parameters, state_bytes

DENSE = Shape(hidden_size=64, layers=2, heads=4, kv_heads=2, ff_size=100, vocab=10, tied=False)
LATENT = Shape(
    hidden_size=64, layers=2, heads=4, kv_heads=4, ff_size=100, vocab=10, tied=False,
    kv_lora_rank=32, q_lora_rank=48, nope_size=16, rope_size=8, value_size=16,
)  # fmt: skip
DELTA = {
    "model_type": "qwen3_next", "hidden_size": 64, "num_hidden_layers": 8, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 16, "intermediate_size": 100, "vocab_size": 10, "full_attention_interval": 4,
    "linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 8, "linear_value_head_dim": 8,
}  # fmt: skip


def test_a_dense_decoder_counts_its_matrices() -> None:
    counted = count_parameters(DENSE)
    assert counted is not None
    attention = 2 * 64 * 64 + 2 * 64 * 32  # queries and output; keys and values of half the heads
    assert counted.total == counted.active == 2 * (attention + 3 * 64 * 100) + 2 * 64 * 10


def test_experts_are_stored_all_and_met_few() -> None:
    shape = Shape(
        hidden_size=64, layers=3, heads=4, kv_heads=4, ff_size=10, vocab=10, tied=True,
        experts=8, active_experts=2, shared_experts=1, dense_layers=1, dense_ff_size=100,
    )  # fmt: skip
    counted = count_parameters(shape)
    assert counted is not None
    always = 3 * 4 * 64 * 64 + 3 * 64 * 100 + 64 * 10
    assert counted.total == always + 2 * 9 * 3 * 64 * 10  # two layers of eight experts and a shared one
    assert counted.active == always + 2 * 3 * 3 * 64 * 10


def test_a_mixture_of_unknown_size_is_not_guessed() -> None:
    assert count_parameters(Shape(**{**_fields(DENSE), "active_experts": 2})) is None


@pytest.mark.parametrize("shape", [DENSE, LATENT])
def test_the_first_token_costs_two_operations_per_parameter_it_meets(shape: Shape) -> None:
    counted = count_parameters(shape)
    assert counted is not None
    looked_up = 64 * 10  # the input embedding is read, not multiplied
    assert flops_per_token(shape, length=1) == 2 * (counted.active - looked_up)


def test_latent_attention_keeps_rank_and_rotary_part_only() -> None:
    assert cache_bytes_per_token(LATENT) == 2 * (32 + 8) * 2  # layers x elements x bytes
    assert cache_bytes_per_token(DENSE) == 2 * 2 * 2 * 16 * 2  # layers x keys and values x heads x size x bytes


def test_a_longer_context_costs_latent_attention_its_cache() -> None:
    longer = flops_per_token(LATENT, length=2001) - flops_per_token(LATENT, length=1)
    assert longer == 2 * 1000 * 2 * 4 * (2 * 32 + 8)  # layers x mean entries x (scores and values) x heads x sizes


def test_a_hybrid_keeps_a_state_instead_of_a_cache_in_most_layers() -> None:
    shape = shape_of(DELTA)
    assert (shape.attending, shape.recurrent_layers) == (2, 6)
    assert cache_bytes_per_token(shape) == 2 * 2 * 2 * 16 * 2
    assert state_bytes(shape) == 6 * 4 * 8 * 8 * 4  # layers x value heads x key size x value size x bytes
    assert state_bytes(DENSE) == 0


def test_a_hybrids_layers_may_be_listed_or_spelled() -> None:
    listed = shape_of({**DELTA, "full_attention_interval": None, "layer_types": ["linear_attention"] * 7 + ["full"]})
    assert (listed.attending, listed.recurrent_layers) == (1, 7)
    mamba = {
        "model_type": "nemotron_h", "hidden_size": 64, "num_hidden_layers": 5, "num_attention_heads": 4,
        "vocab_size": 10, "intermediate_size": 100, "hybrid_override_pattern": "M-M*-",
        "mamba_num_heads": 8, "mamba_head_dim": 16, "n_groups": 2, "ssm_state_size": 4,
    }  # fmt: skip
    shape = shape_of(mamba)
    assert (shape.attending, shape.recurrent_layers, shape.ff_layers) == (1, 2, 2)
    assert shape.recurrent_weights == 64 * (2 * 128 + 2 * 2 * 4 + 8) + 128 * 64
    assert shape.recurrent_state == 128 * 4


def _fields(shape: Shape) -> dict[str, object]:
    return {name: getattr(shape, name) for name in Shape.__slots__}
