from contextlib import suppress
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog import Catalog, ImportFailedError, InvalidOverlayError, ParetoGateError, Trust
from catalog.importers.overlay import read_overlay

TOML = """
[models."acme/our-tune"]
params_total_b = 8
released = 2026-05-01
capabilities = ["streaming", "tools"]
price = {input_usd_per_mtok = 0.1, output_usd_per_mtok = 0.4}
"""
YAML = """
models:
  acme/our-tune:
    params_total_b: 8
    released: 2026-05-01
    capabilities: [streaming, tools]
    price: {input_usd_per_mtok: 0.1, output_usd_per_mtok: 0.4}
"""


def written(tmp_path: Path, text: str, name: str = "overlay.toml") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


@pytest.mark.parametrize(("text", "name"), [(TOML, "overlay.toml"), (YAML, "overlay.yaml")])
def test_an_overlay_in_either_language_states_a_profile(tmp_path: Path, text: str, name: str) -> None:
    (profile,) = read_overlay(written(tmp_path, text, name))
    assert (profile.id, profile.params_total_b, profile.released) == ("acme/our-tune", 8.0, date(2026, 5, 1))
    assert profile.price is not None
    assert profile.price.input_usd_per_mtok == Decimal("0.1")
    assert profile.provenance["price"].trust is Trust.OPERATOR


def test_the_rates_of_long_inputs_can_be_stated(tmp_path: Path) -> None:
    text = """
[models."acme/our-tune".price]
input_usd_per_mtok = 1
output_usd_per_mtok = 4
long_context_above_tokens = 200000
long_context = {input_usd_per_mtok = 2, output_usd_per_mtok = 6}
"""
    (profile,) = read_overlay(written(tmp_path, text))
    assert profile.price is not None
    assert profile.price.at(200_001).output_usd_per_mtok == Decimal(6)


def test_what_an_operator_states_stands_above_the_shipped_catalog(tmp_path: Path) -> None:
    path = written(tmp_path, '[models."openai/gpt-4o-mini"]\ncontext_tokens = 1000\n')
    profile = Catalog.load().with_profiles(read_overlay(path))["openai/gpt-4o-mini"]
    assert profile.context_tokens == 1000
    assert profile.price is not None  # the rest stays


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("[modles]\n", "modles"),
        ('[models."a/b"]\nparams = 8\n', "models.a/b.params"),
        ('[models."a/b"]\nparams_total_b = "eight"\n', "models.a/b.params_total_b"),
        ('[models."a/b"]\nparams_total_b = -8\n', "models.a/b"),
        (f'[models."a/b"]\nparams_total_b = {10**400}\n', "models.a/b.params_total_b"),
        (f'[models."a/b"]\ncontext_tokens = {10**400}\n', "models.a/b"),
        ('[models."a/b"]\ntokens_per_char = -0.25\n', "models.a/b"),
        ('[models."a/b"]\noutput_tokens_mean = 0.0\n', "models.a/b"),
        ('[models."a/b"]\nttft_s = -1.0\n', "models.a/b"),
        ('[models."a/b"]\nopen_weights = 1\n', "models.a/b.open_weights"),
        ('[models."a/b"]\nreleased = "soon"\n', "models.a/b.released"),
        ('[models."a/b"]\nprice = {input_usd_per_mtok = 1}\n', "models.a/b.price"),
        ('[models."a/b"]\nprice = {input_usd_per_mtok = -1, output_usd_per_mtok = 1}\n', "models.a/b.price"),
        (
            '[models."a/b".price]\ninput_usd_per_mtok = 1\noutput_usd_per_mtok = 1\nlong_context_above_tokens = 9\n',
            "models.a/b.price",
        ),
        (
            '[models."a/b".price]\ninput_usd_per_mtok = 1\noutput_usd_per_mtok = 1\nlong_context_above_tokens = "x"\n',
            "models.a/b.price",
        ),
        ('[models."a/b"]\ncapabilities = ["telepathy"]\n', "models.a/b"),
        ("[models.nobody]\nparams_total_b = 1\n", "models.nobody"),
        ("models = 3\n", "models"),
        ("not toml at all", "(file)"),
    ],
)
def test_a_wrong_key_or_value_is_named_with_its_file(tmp_path: Path, text: str, field: str) -> None:
    with pytest.raises(InvalidOverlayError) as refused:
        read_overlay(written(tmp_path, text))
    assert refused.value.field == field
    assert "overlay.toml" in str(refused.value)


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImportFailedError, match=r"nowhere\.toml"):
        read_overlay(tmp_path / "nowhere.toml")


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200), name=st.sampled_from(["fuzz.toml", "fuzz.yaml"]))
def test_no_content_whatever_is_a_crash(tmp_path: Path, content: bytes, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with suppress(ParetoGateError):
        read_overlay(path)


def test_a_measured_field_is_trusted_as_measured_and_a_measurement_without_a_field_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "measured.toml"
    file.write_text(
        """
[models."acme/tune"]
ttft_s = 0.2
[models."acme/tune".measured.ttft_s]
method = "probe"
n = 20
date = 2026-11-24
[models."acme/tune".measured.information_capacity]
value = 0.17
unit = "1"
method = "prompt log-probabilities"
n = 900
date = 2026-11-24
"""
    )
    (profile,) = read_overlay(file)
    assert profile.provenance["ttft_s"].trust is Trust.MEASURED
    assert profile.provenance["ttft_s"].source == "measured by us: probe, n = 20"
    assert profile.measured["information_capacity"].value == 0.17
    assert profile.measured["information_capacity"].n == 900


def test_facts_have_their_sources_in_the_order_in_which_they_are_stated(tmp_path: Path) -> None:
    """A catalog's version is a digest of its profiles: in an order that varies, each process would have its own."""
    stated = ["tokens_per_s", "params_total_b", "license", "energy_wh_per_mtok", "agent_risk", "bias", "ttft_s", "harm"]
    file = tmp_path / "stated.toml"
    facts = {**dict.fromkeys(stated, "0.5"), "license": '"mit"'}
    file.write_text("\n".join(['[models."acme/tune"]', *(f"{name} = {value}" for name, value in facts.items())]))
    (profile,) = read_overlay(file)
    assert list(profile.provenance) == stated


def test_a_measurement_of_nothing_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "measured.toml"
    file.write_text('[models."a/b".measured.ttft_s]\nmethod = "probe"\nn = 2\ndate = 2026-11-24\n')
    with pytest.raises(InvalidOverlayError, match="ttft_s"):
        read_overlay(file)
