import json
import sys
from datetime import date
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog import ImportFailedError, Price
from catalog.importers.litellm_prices import read_price_map

ENTRY = {
    "litellm_provider": "anthropic",
    "mode": "chat",
    "input_cost_per_token": 3e-06,
    "output_cost_per_token": 1.5e-05,
    "cache_read_input_token_cost": 3e-07,
    "cache_creation_input_token_cost": 3.75e-06,
    "input_cost_per_token_batches": 1.5e-06,
    "output_cost_per_token_batches": 7.5e-06,
    "max_input_tokens": 200000,
    "max_output_tokens": 64000,
    "supports_vision": True,
    "supports_function_calling": True,
    "deprecation_date": "2026-11-30",
}


def written(tmp_path: Path, document: object) -> Path:
    path = tmp_path / "prices.json"
    path.write_text(json.dumps(document))
    return path


def test_an_entry_becomes_an_offer_in_dollars_per_million(tmp_path: Path) -> None:
    told = read_price_map(written(tmp_path, {"claude-sonnet-4-5": ENTRY}))
    (offer,) = told.offers["claude-sonnet-4.5"]
    assert offer.profile_id == "anthropic/claude-sonnet-4.5"
    assert offer.price is not None
    assert offer.batch_price is not None
    assert (offer.price.input_usd_per_mtok, offer.price.output_usd_per_mtok) == (Decimal(3), Decimal(15))
    assert (offer.price.cached_input_usd_per_mtok, offer.price.cache_write_usd_per_mtok) == (
        Decimal("0.3"),
        Decimal("3.75"),
    )
    assert offer.batch_price.output_usd_per_mtok == Decimal("7.5")
    assert offer.capabilities == {"streaming", "vision", "tools"}
    assert (offer.context_tokens, offer.retires) == (200_000, date(2026, 11, 30))


def test_the_rates_of_long_inputs_are_read_with_the_first_limit_from_which_they_hold(tmp_path: Path) -> None:
    long = {
        "input_cost_per_token_above_200k_tokens": 6e-06,
        "output_cost_per_token_above_200k_tokens": 2.25e-05,
        "cache_read_input_token_cost_above_200k_tokens": 6e-07,
        "input_cost_per_token_above_512k_tokens": 9e-06,
        "output_cost_per_token_above_512k_tokens": 3e-05,
    }
    told = read_price_map(written(tmp_path, {"claude-sonnet-4-5": {**ENTRY, **long}}))
    (offer,) = told.offers["claude-sonnet-4.5"]
    assert offer.price is not None
    assert offer.price.long_context_above_tokens == 200_000
    assert offer.price.long_context == Price(
        input_usd_per_mtok=Decimal(6), output_usd_per_mtok=Decimal("22.5"), cached_input_usd_per_mtok=Decimal("0.6")
    )


def test_web_searches_of_the_customary_size_are_read_in_dollars_per_thousand(tmp_path: Path) -> None:
    by_size = {"search_context_size_low": 0.006, "search_context_size_medium": 0.01, "search_context_size_high": 0.014}
    told = read_price_map(written(tmp_path, {"claude-sonnet-4-5": {**ENTRY, "search_context_cost_per_query": by_size}}))
    (offer,) = told.offers["claude-sonnet-4.5"]
    assert offer.price is not None
    assert offer.price.search_usd_per_thousand == Decimal(10)


def test_the_same_weights_elsewhere_are_offers_of_one_model(tmp_path: Path) -> None:
    document = {
        "claude-sonnet-4-5": ENTRY,
        "vertex_ai/claude-sonnet-4-5": ENTRY | {"litellm_provider": "vertex_ai-anthropic_models"},
    }
    offers = read_price_map(written(tmp_path, document)).offers["claude-sonnet-4.5"]
    assert [(offer.provider, offer.model_name) for offer in offers] == [
        ("anthropic", "claude-sonnet-4-5"),
        ("vertex_ai", "claude-sonnet-4-5"),
    ]


def test_zero_is_no_price(tmp_path: Path) -> None:
    free = ENTRY | {"input_cost_per_token": 0, "output_cost_per_token": 0}
    (offer,) = read_price_map(written(tmp_path, {"claude-sonnet-4-5": free})).offers["claude-sonnet-4.5"]
    assert offer.price is None


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"input_cost_per_token": "cheap"}, "input_cost_per_token"),
        ({"output_cost_per_token": -1}, "output_cost_per_token"),
        ({"output_cost_per_token": 1e9}, "output_cost_per_token"),
        ({"output_cost_per_token": "9e999999"}, "output_cost_per_token"),
        ({"max_input_tokens": "many"}, "max_input_tokens"),
        ({"max_input_tokens": 10**400}, "max_input_tokens"),
        ({"max_input_tokens": "1e999999"}, "max_input_tokens"),
        (
            {f"{way}_cost_per_token_above_{10**20}k_tokens": 1e-6 for way in ("input", "output")},
            "price",
        ),
        ({"max_input_tokens": [1]}, "max_input_tokens"),
        ({"deprecation_date": "some day"}, "deprecation_date"),
        ({"litellm_provider": None}, "litellm_provider"),
    ],
)
def test_a_bad_entry_is_a_finding_and_the_rest_is_read(tmp_path: Path, change: dict[str, object], field: str) -> None:
    told = read_price_map(written(tmp_path, {"claude-opus-4-5": ENTRY | change, "claude-sonnet-4-5": ENTRY}))
    (finding,) = told.findings
    assert (finding.file, finding.entry, finding.field) == ("prices.json", "claude-opus-4-5", field)
    assert "claude-sonnet-4.5" in told.offers


def test_half_a_surrogate_pair_in_a_name_can_be_written(tmp_path: Path) -> None:
    told = read_price_map(written(tmp_path, {"openai/\ud800m": ENTRY | {"litellm_provider": "open\udfffai"}}))
    ((key, (offer,)),) = told.offers.items()
    assert f"{key} {offer.provider} {offer.model_name}".encode()


@pytest.mark.parametrize("content", ["", "[1, 2]", "{", "[" * 100_000])
def test_a_file_that_is_no_price_map_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "prices.json"
    path.write_text(content)
    with pytest.raises(ImportFailedError, match=r"prices\.json"):
        read_price_map(path)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(
    key=st.sampled_from(sorted(ENTRY)),
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
        max_leaves=4,
    ),
)
def test_no_value_of_any_field_is_a_crash(tmp_path: Path, key: str, value: object) -> None:
    told = read_price_map(written(tmp_path, {"claude-sonnet-4-5": ENTRY | {key: value}}))
    assert all(finding.entry == "claude-sonnet-4-5" for finding in told.findings)


def test_the_installed_price_map_is_read_without_importing_litellm() -> None:
    if find_spec("litellm") is None:
        pytest.skip("litellm is not installed")
    before = "litellm" in sys.modules
    told = read_price_map()
    assert len(told.offers) > 500
    assert ("litellm" in sys.modules) == before
