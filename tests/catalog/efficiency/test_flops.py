"""Oracles: Information Capacity's formula on published shapes, agreeing with its figure to 0.5 %."""

import pytest

from catalog.efficiency.flops import Shape, flops_per_token

QWEN_8B = Shape(hidden_size=4096, layers=36, heads=32, kv_heads=8, ff_size=12288, vocab=151936)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((1024, 28, 16, 8, 3072, 151936), 1.07447e9),  # Qwen3-0.6B
        ((2048, 28, 16, 8, 6144, 151936), 3.55823e9),
        ((2560, 36, 32, 8, 9728, 151936), 7.52531e9),
        ((4096, 36, 32, 8, 12288, 151936), 15_437_889_536),  # Qwen3-8B, exactly
        ((5120, 40, 40, 8, 17408, 151936), 2.8399e10),
        ((2048, 16, 32, 8, 8192, 128256), 2.53854e9),  # Llama-3.2-1B
        ((3072, 28, 24, 8, 8192, 128256), 6.60114e9),
        ((4096, 32, 32, 8, 14336, 128256), 1.52775e10),
        ((8192, 80, 64, 8, 28672, 128256), 1.40344e11),  # Llama-3.1-70B
    ],
)
def test_published_models_cost_what_the_reference_says(shape: tuple[int, ...], expected: float) -> None:
    d, layers, heads, kv, ff, vocab = shape
    counted = flops_per_token(
        Shape(hidden_size=d, layers=layers, heads=heads, kv_heads=kv, ff_size=ff, vocab=vocab), reference=True
    )
    assert counted == pytest.approx(expected, rel=1e-5)


def test_a_stated_head_size_counts_unless_the_reference_is_wanted() -> None:
    shape = Shape(hidden_size=1024, layers=28, heads=16, kv_heads=8, ff_size=3072, vocab=151936, head_size=128)
    # twice the head size adds, per layer: 4 d (h + kv) 64 for projections and 4 h 64 x 511.5 for attention
    extra = 28 * (4 * 1024 * (16 + 8) * 64 + 4 * 16 * 64 * 511.5)
    assert flops_per_token(shape) - flops_per_token(shape, reference=True) == extra


def test_only_active_and_shared_experts_count() -> None:
    dense = Shape(hidden_size=64, layers=1, heads=4, kv_heads=4, ff_size=100, vocab=10)
    mixture = Shape(
        hidden_size=64, layers=1, heads=4, kv_heads=4, ff_size=100, vocab=10, active_experts=4, shared_experts=1
    )
    assert flops_per_token(mixture) - flops_per_token(dense) == 4 * 6 * 64 * 100  # four experts more


def test_ungated_experts_cost_two_thirds() -> None:
    gated = Shape(hidden_size=64, layers=1, heads=4, kv_heads=4, ff_size=100, vocab=10)
    ungated = Shape(hidden_size=64, layers=1, heads=4, kv_heads=4, ff_size=100, vocab=10, gated=False)
    assert flops_per_token(gated) - flops_per_token(ungated) == 2 * 64 * 100


def test_latent_attention_does_not_grow_with_length() -> None:
    latent = Shape(hidden_size=64, layers=1, heads=4, kv_heads=4, ff_size=100, vocab=10, kv_lora_rank=32)
    assert flops_per_token(latent, length=10) == flops_per_token(latent, length=10_000)


def test_a_longer_answer_costs_more_per_token() -> None:
    assert flops_per_token(QWEN_8B, length=4096) > flops_per_token(QWEN_8B)
