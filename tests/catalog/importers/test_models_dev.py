from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog import ImportFailedError, Trust
from catalog.importers.models_dev import read_models_dev

MAKERS_OWN = """
name = "GPT Nine"
release_date = "2026-03-01"
knowledge = "2025-10"
tool_call = true
reasoning = true
open_weights = false
[cost]
input = 2.5
output = 10
cache_read = 0.25
[limit]
context = 400_000
output = 128_000
[modalities]
input = ["text", "image"]
output = ["text"]
"""


def write(root: Path, provider: str, name: str, text: str) -> None:
    path = root / "providers" / provider / "models" / f"{name}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_the_makers_entry_describes_the_model_and_every_entry_is_an_offer(tmp_path: Path) -> None:
    write(tmp_path, "openai", "gpt-9", MAKERS_OWN)
    write(tmp_path, "azure", "gpt-9", "release_date = '2026-04-09'\n[cost]\ninput = 3\noutput = 12\n")
    told = read_models_dev(tmp_path, recorded=date(2026, 7, 2))
    (profile,) = told.profiles
    assert (profile.id, profile.name, profile.released) == ("openai/gpt-9", "GPT Nine", date(2026, 3, 1))
    assert (profile.knowledge_cutoff, profile.context_tokens) == (date(2025, 10, 1), 400_000)
    assert profile.capabilities == {"streaming", "tools", "reasoning", "vision"}
    assert profile.price is not None
    assert profile.price.cached_input_usd_per_mtok == Decimal("0.25")
    assert profile.provenance["price"].trust is Trust.LINKED
    assert [(o.provider, o.price and o.price.output_usd_per_mtok) for o in told.offers["openai/gpt-9"]] == [
        ("azure", Decimal(12)),
        ("openai", Decimal(10)),
    ]
    assert told.findings == ()


def test_a_hosts_price_is_not_the_makers(tmp_path: Path) -> None:
    write(tmp_path, "azure", "gpt-9", MAKERS_OWN)
    assert read_models_dev(tmp_path).profiles[0].price is None


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("release_date = 'soon'", "release_date"),
        ("tool_call = 'yes'", "tool_call"),
        ("limit = 3", "limit"),
        ("[limit]\ncontext = -1", "context"),
        ("[cost]\ninput = 'free'\noutput = 1", "input"),
        ("[modalities]\ninput = 'text'", "input"),
        ("= broken", "(file)"),
    ],
)
def test_a_broken_field_is_a_finding_that_names_file_and_field(tmp_path: Path, text: str, field: str) -> None:
    write(tmp_path, "openai", "gpt-9", text)
    (finding,) = read_models_dev(tmp_path).findings
    assert (finding.file, finding.field) == ("openai/models/gpt-9.toml", field)


@settings(max_examples=60)
@given(st.text(max_size=80))
def test_no_text_crashes_the_reader(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    root = tmp_path_factory.mktemp("dev")
    write(root, "openai", "gpt-9", text.encode("utf-8", "ignore").decode())
    read_models_dev(root)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImportFailedError, match=r"models\.dev"):
        read_models_dev(tmp_path)
