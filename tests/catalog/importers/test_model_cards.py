import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog import ImportFailedError, Trust
from catalog.importers.model_cards import read_card, read_cards

CARD = """---
license: apache-2.0
base_model: Qwen/Qwen3-8B-Base
co2_eq_emissions:
  emissions: 123.5
  source: code carbon
  hardware_used: 8 A100
model-index:
- name: ours
  results:
  - task: {type: text-generation}
    dataset: {type: gsm8k, name: GSM8K, config: main}
    metrics:
    - {type: acc, value: 0.81, verified: true}
  - task: {type: text-generation}
    dataset: {type: mmlu, name: MMLU}
    metrics:
    - {type: acc, value: 72.5}
    source: {name: a board, url: "https://example.org/board"}
---
# Ours
## Evaluation
It answers four in five questions of the test set rightly, see the table.
## Limitations
[More Information Needed]
"""
QWEN3_8B = {
    "model_type": "qwen3", "hidden_size": 4096, "num_hidden_layers": 36, "num_attention_heads": 32,
    "num_key_value_heads": 8, "head_dim": 128, "intermediate_size": 12288, "vocab_size": 151936,
    "max_position_embeddings": 40960,
}  # fmt: skip


def test_a_card_and_its_configuration_become_facts_with_their_trust() -> None:
    card = read_card("acme/ours", text=CARD, config=json.dumps(QWEN3_8B))
    assert card.findings == ()
    assert (card.profile.license, card.profile.base_model) == ("Apache-2.0", "qwen/qwen3-8b-base")
    assert (card.profile.architecture, card.profile.context_tokens) == ("qwen3", 40960)
    assert card.profile.provenance["license"].trust is Trust.SELF_REPORTED
    assert [(b.benchmark, b.value, b.provenance.trust) for b in card.benchmarks] == [
        ("GSM8K", 0.81, Trust.VERIFIED),
        ("MMLU", 72.5, Trust.LINKED),
    ]


def test_operations_per_token_are_those_published_for_the_same_shape() -> None:
    assert read_card("q/q", text=None, config=json.dumps(QWEN3_8B)).flops_per_token == 15_437_889_536


def test_emissions_with_hardware_and_source_are_of_the_second_class() -> None:
    card = read_card("a/b", text=CARD)
    assert card.emissions is not None
    assert (card.emissions.grams, card.reporting) == (123.5, "R2")
    assert read_card("a/b", text="# nothing").reporting == "R0"
    assert read_card("a/b", text="---\nco2_eq_emissions: 3\n---\n").reporting == "R1"


def test_a_section_that_says_nothing_does_not_count() -> None:
    card = read_card("a/b", text=CARD)
    assert card.has_evaluation
    assert card.completeness == pytest.approx(3 / 12)  # evaluation alone, of all weights
    assert read_card("a/b", text="").completeness == 0.0


@pytest.mark.parametrize(
    ("front", "field"),
    [
        ("license: [1, 2]", "license"),
        ("base_model: {a: b}", "base_model"),
        ("co2_eq_emissions: {emissions: -4}", "co2_eq_emissions"),
        ("co2_eq_emissions: lots", "co2_eq_emissions"),
        ("model-index: 3", "model-index"),
        ("model-index: [3]", "model-index[0].results"),
        ("model-index: [{results: [{}]}]", "model-index[0].results[0]"),
        ("a: [", "(front matter)"),
        ("just text", "(front matter)"),
        ("a: &a [x, x]\nb: &b [*a, *a]\nlicense: [*b, *b]", "(front matter)"),  # the billion laughs
    ],
)
def test_a_broken_field_is_a_finding_that_names_it(front: str, field: str) -> None:
    (finding,) = read_card("a/b", text=f"---\n{front}\n---\n").findings
    assert (finding.file, finding.entry, finding.field) == ("README.md", "a/b", field)


@pytest.mark.parametrize("config", ["[]", "{", "{}", '{"hidden_size": "big"}', '{"hidden_size": 1e400}'])
def test_a_broken_configuration_is_a_finding_and_not_a_number(config: str) -> None:
    card = read_card("a/b", text=None, config=config)
    assert card.flops_per_token is None
    assert {finding.file for finding in card.findings} == {"config.json"}


JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=150)
@given(st.text(max_size=200), st.text(max_size=80))
def test_no_text_crashes_the_reader(text: str, config: str) -> None:
    read_card("a/b", text=f"---\n{text}\n---\n{text}", config=config)


@settings(max_examples=200)
@given(
    st.dictionaries(
        st.sampled_from(["license", "license_name", "base_model", "co2_eq_emissions", "model-index"]), JSONISH
    ),
    st.dictionaries(st.sampled_from([*QWEN3_8B, "text_config", "num_experts", "kv_lora_rank"]), JSONISH),
    JSONISH,
)
def test_no_value_crashes_the_reader(front: dict[str, object], config: dict[str, object], result: object) -> None:
    front = {"model-index": [{"results": [result, {"task": result, "dataset": result, "metrics": [result]}]}]} | front
    card = read_card("a/b", text=f"---\n{json.dumps(front)}\n---\n", config=json.dumps(QWEN3_8B | config))
    assert all(f.file in {"README.md", "config.json"} and f.field for f in card.findings)


def test_a_directory_is_read_folder_by_folder(tmp_path: Path) -> None:
    for name, content in (("Good", CARD.encode()), ("Bad", b"---\n\xff\xfe: [\n---\n"), ("Huge", b"x" * 2_000_001)):
        folder = tmp_path / "Acme" / name
        folder.mkdir(parents=True)
        (folder / "README.md").write_bytes(content)
    told = read_cards(tmp_path)
    assert [card.profile.id for card in told.cards] == ["acme/bad", "acme/good", "acme/huge"]
    assert {finding.entry for finding in told.findings} == {"acme/bad", "acme/huge"}
    with pytest.raises(ImportFailedError, match="not a directory"):
        read_cards(tmp_path / "absent")
