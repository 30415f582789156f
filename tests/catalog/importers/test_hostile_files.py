"""Whatever stands in a card or a table, the import ends with findings or an error of ours, each naming the file."""

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog import CatalogError
from catalog.importers.leaderboard import LeaderboardMapping, read_leaderboard
from catalog.importers.model_cards import read_card
from catalog.profiles.profile import ModelProfile

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ("license", "license_name", "base_model", "co2_eq_emissions", "model-index", "tags", "language")
DIMENSIONS = ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size", "intermediate_size",
              "num_experts", "kv_lora_rank", "layer_types", "hybrid_override_pattern", "text_config",
              "full_attention_interval", "mamba_d_state", "model_type", "max_position_embeddings")  # fmt: skip


@settings(max_examples=150)
@given(st.dictionaries(st.sampled_from(FIELDS), VALUES), st.dictionaries(st.sampled_from(DIMENSIONS), VALUES))
def test_no_field_of_a_card_stops_its_import(front: dict[str, object], config: dict[str, object]) -> None:
    card = read_card("owner/name", text=f"---\n{yaml.safe_dump(front)}---\n# Model\n", config=json.dumps(config))
    assert isinstance(card.profile, ModelProfile)
    assert all(finding.file in {"README.md", "config.json"} and finding.field for finding in card.findings)


@settings(max_examples=150)
@given(st.text(max_size=300), st.text(max_size=300))
def test_no_text_of_a_card_stops_its_import(text: str, config: str) -> None:
    card = read_card("owner/name", text=text, config=config)
    assert all(finding.entry == "owner/name" for finding in card.findings)


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(st.sampled_from(["Model", "Score", "n"]), VALUES, min_size=1), max_size=4))
def test_no_cell_of_a_leaderboard_stops_its_import(tmp_path: Path, rows: list[dict[str, object]]) -> None:
    path = tmp_path / "board.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    mapping = LeaderboardMapping(source="x", model_column="Model", license=None, benchmarks={"Score": "exam"})
    try:
        board = read_leaderboard(path, mapping)
    except CatalogError:
        return  # no table at all; the next test holds what the error says
    assert all(finding.file == "board.json" and finding.field for finding in board.findings)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(st.sampled_from([".csv", ".json", ".yaml"]), st.binary(max_size=200))
def test_no_bytes_of_a_leaderboard_stop_more_than_its_import(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"board{suffix}"
    path.write_bytes(content)
    mapping = LeaderboardMapping(source="x", model_column="Model", license=None, benchmarks={"Score": "exam"})
    with pytest.raises(CatalogError, match="board"):
        read_leaderboard(path, mapping)
