import os
from pathlib import Path

import pytest

from catalog.compiled import SHIPPED
from catalog.efficiency.flops import flops_per_token
from catalog.efficiency.footprint import count_parameters
from catalog.structure.architectures import compile_architectures, shape_for, shapes

DATA = Path(os.environ.get("PARETOGATE_DATA", Path(__file__).parents[4] / "shared" / "data"))


@pytest.mark.parametrize(
    ("key", "billions"),
    [("mistral-7b-v0.1", 7.2), ("mixtral-8x7b-v0.1", 12.9), ("qwen3-8b", 8.2), ("llama-3.1-70b", 70.6)],
)
def test_half_the_operations_of_a_token_are_near_the_active_parameters(key: str, billions: float) -> None:
    assert flops_per_token(shapes()[key][0]) / 2e9 == pytest.approx(billions, rel=0.1)


def test_every_shape_has_a_source_under_a_permissive_licence() -> None:
    assert len(shapes()) > 200
    sources = {source for _, source in shapes().values()}
    assert all("Apache-2.0" in source or source == "the model's own config.json" for source in sources)


@pytest.mark.parametrize(
    ("key", "total_b", "active_b"),
    [  # as their makers publish them
        ("deepseek-v3", 671, 37), ("deepseek-v2", 236, 21), ("deepseek-v2-lite", 15.7, 2.4), ("kimi-k2", 1026, 32),
        ("glm-5", 744, 40), ("glm-4.7-flash", 30, 3.9), ("qwen3-next-80b-a3b", 80, 3.9), ("qwen3.5-397b-a17b", 397, 17),
        ("qwen3.5-122b-a10b", 122, 10), ("qwen3.5-35b-a3b", 35, 3.4), ("qwen3.5-27b", 27, 27),
        ("llama-4-scout", 109, 17), ("llama-4-maverick", 400, 17), ("jamba-1.5-mini", 52, 12),
        ("jamba-1.5-large", 398, 94),
        ("phi-2", 2.7, 2.7),
    ],
)  # fmt: skip
def test_dimensions_count_up_to_the_published_parameters(key: str, total_b: float, active_b: float) -> None:
    known = shape_for(key)
    assert known is not None
    counted = count_parameters(known[0])
    assert counted is not None
    assert counted.total / 1e9 == pytest.approx(total_b, rel=0.03)
    assert counted.active / 1e9 == pytest.approx(active_b, rel=0.12)


def test_a_tune_or_a_dated_release_has_the_dimensions_of_its_base() -> None:
    assert shape_for("deepseek-v3-0324") == shape_for("deepseek-v3")
    assert shape_for("mixtral-8x7b-instruct") == shape_for("mixtral-8x7b-v0.1")
    assert shape_for("mistral-large-2512") is None  # a date alone does not tell that it is the one of 2407


@pytest.mark.data
@pytest.mark.skipif(not (DATA / "catalog").is_dir(), reason=f"no catalog tables under {DATA}")
def test_the_shipped_table_is_what_the_data_gives() -> None:
    assert compile_architectures(DATA) == (SHIPPED.parent / "architectures.json").read_bytes()
