import os
from pathlib import Path

import pytest

from catalog.architectures import compile_architectures, shapes
from catalog.compiled import SHIPPED
from catalog.efficiency.flops import flops_per_token

DATA = Path(os.environ.get("PARETOGATE_DATA", Path(__file__).parents[3] / "shared" / "data"))


@pytest.mark.parametrize(
    ("key", "billions"),
    [("mistral-7b-v0.1", 7.2), ("mixtral-8x7b-v0.1", 12.9), ("qwen3-8b", 8.2), ("llama-3.1-70b", 70.6)],
)
def test_half_the_operations_of_a_token_are_near_the_active_parameters(key: str, billions: float) -> None:
    assert flops_per_token(shapes()[key][0]) / 2e9 == pytest.approx(billions, rel=0.1)


def test_every_shape_has_a_source_under_a_permissive_licence() -> None:
    assert len(shapes()) > 200
    assert {"Apache-2.0" in source for _, source in shapes().values()} == {True}


@pytest.mark.data
@pytest.mark.skipif(not (DATA / "catalog").is_dir(), reason=f"no catalog tables under {DATA}")
def test_the_shipped_table_is_what_the_data_gives() -> None:
    assert compile_architectures(DATA) == (SHIPPED.parent / "architectures.json").read_bytes()
