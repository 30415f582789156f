import pytest

from catalog import InvalidProfileError
from catalog.efficiency.configuration import shape_of
from catalog.efficiency.flops import flops_per_token

LLAMA_8B = {
    "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
    "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 128256,
}  # fmt: skip


def test_a_dense_model_with_grouped_queries() -> None:
    assert flops_per_token(shape_of(LLAMA_8B)) == pytest.approx(1.52775e10, rel=1e-5)


def test_a_head_of_stated_size_counts_as_stated_and_as_the_reference_takes_it() -> None:
    small = {
        "hidden_size": 1024, "num_hidden_layers": 28, "num_attention_heads": 16, "num_key_value_heads": 8,
        "intermediate_size": 3072, "vocab_size": 151936, "head_dim": 128,
    }  # fmt: skip
    shape = shape_of(small)
    assert flops_per_token(shape, reference=True) == pytest.approx(1.07447e9, rel=1e-5)
    assert flops_per_token(shape) > flops_per_token(shape, reference=True)


def test_a_mixture_counts_only_the_experts_that_work() -> None:
    mixture = shape_of(LLAMA_8B | {"num_local_experts": 8, "num_experts_per_tok": 2})
    assert (mixture.active_experts, mixture.shared_experts, mixture.ff_size) == (2, 0, 14336)
    shared = shape_of(
        LLAMA_8B
        | {"num_experts": 60, "num_experts_per_tok": 4, "moe_intermediate_size": 1408}
        | {"shared_expert_intermediate_size": 5632}
    )
    assert (shared.active_experts, shared.shared_experts, shared.ff_size) == (4, 4, 1408)


def test_latent_attention_and_nested_text_models_are_known() -> None:
    assert shape_of({"text_config": LLAMA_8B | {"kv_lora_rank": 512}}).kv_lora_rank == 512


def test_gpt2_says_things_its_own_way() -> None:
    shape = shape_of({"model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12, "vocab_size": 50257})
    assert (shape.ff_size, shape.gated, shape.kv_heads) == (3072, False, 12)


@pytest.mark.parametrize("field", ["hidden_size", "num_hidden_layers", "intermediate_size", "vocab_size"])
def test_a_missing_dimension_is_named(field: str) -> None:
    with pytest.raises(InvalidProfileError, match=field):
        shape_of({name: value for name, value in LLAMA_8B.items() if name != field})


@pytest.mark.parametrize("value", [-1, True, "4096", 10**30, 1.5])
def test_a_dimension_that_cannot_be_is_named(value: object) -> None:
    with pytest.raises(InvalidProfileError, match="hidden_size"):
        shape_of(LLAMA_8B | {"hidden_size": value})
