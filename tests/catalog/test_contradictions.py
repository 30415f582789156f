from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from catalog import Catalog, ModelProfile, Price, Provenance, Trust
from catalog.cli import commands
from catalog.contradictions import contradictions

STATED = {"params_total_b": Provenance(source="a registry", trust=Trust.LINKED)}


EARLY = {"released": date(2024, 3, 15), "knowledge_cutoff": date(2024, 10, 1)}
DEAR = Price(input_usd_per_mtok=Decimal(1), output_usd_per_mtok=Decimal(2), cached_input_usd_per_mtok=Decimal(3))


@pytest.mark.parametrize(
    ("name", "facts", "told"),
    [
        ("x", EARLY, "knowledge_cutoff: 2024-10-01 is after the release"),
        (
            "x-2512",
            {"released": date(2024, 11, 1)},
            "released: 2024-11-01 is far from the date in the name, 2025-12-01",
        ),
        ("x", {"params_total_b": 7.0, "params_active_b": 70.0}, "params_active_b: 70B are more than all parameters"),
        (
            "x-7b",
            {"params_total_b": 70.0, "provenance": STATED},
            "params_total_b: 70B is far from the size in the name",
        ),
        (
            "x",
            {"context_tokens": 4096, "max_output_tokens": 8192},
            "max_output_tokens: 8,192 are more than the context",
        ),
        ("x", {"capabilities": frozenset({"vision"})}, "modalities_in: it can do vision but takes in no image"),
        ("x", {"price": DEAR}, "price: cached input at $3/M is dearer than input"),
    ],
)
def test_facts_that_cannot_both_be_true_are_found(name: str, facts: dict[str, Any], told: str) -> None:
    (found,) = contradictions([ModelProfile(id=f"acme/{name}", name=name, **facts)], file="f")
    assert f"f: acme/{name}: {told}" in str(found)


def test_a_month_that_stands_for_its_first_day_and_a_rounded_size_are_no_contradictions() -> None:
    fine = ModelProfile(
        id="acme/x-7b-2507",
        name="x",
        released=date(2025, 7, 23),
        knowledge_cutoff=date(2025, 8, 1),
        params_total_b=8.5,
        provenance=STATED,
    )
    assert contradictions([fine], file="f") == ()


def test_the_shipped_catalog_contradicts_itself_nowhere() -> None:
    assert contradictions(Catalog.load(), file="shipped") == ()
    assert CliRunner().invoke(commands, ["validate", "shipped"]).exit_code == 0


def test_an_overlay_is_judged_as_it_stands_above_the_catalog(tmp_path: Path) -> None:
    overlay = tmp_path / "mine.toml"
    overlay.write_text('[models."openai/gpt-4o-mini"]\nknowledge_cutoff = 2030-01-01\n')
    result = CliRunner().invoke(commands, ["validate", str(overlay)])
    assert result.exit_code == 1
    assert (
        "mine.toml: openai/gpt-4o-mini: knowledge_cutoff: 2030-01-01 is after the release, 2024-07-18" in result.stdout
    )


def test_a_compiled_catalog_is_told_from_a_price_map(tmp_path: Path) -> None:
    bad = ModelProfile(id="a/b", name="b", context_tokens=10, max_output_tokens=20)
    path = tmp_path / "catalog.json"
    path.write_bytes(Catalog.of([bad]).pack())
    result = CliRunner().invoke(commands, ["validate", str(path)])
    assert result.exit_code == 1
    assert "a/b: max_output_tokens" in result.stdout
