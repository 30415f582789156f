import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from catalog import (
    Ability,
    Backend,
    Catalog,
    ImportFailedError,
    InvalidProfileError,
    Measurement,
    ModelProfile,
    Offer,
    Price,
    Provenance,
    Trust,
    UnknownModelError,
)

SMALL = Catalog.of(
    [
        ModelProfile(id="acme/one", name="One", aliases=("uno",), params_total_b=7.0),
        ModelProfile(id="acme/two-3.5", name="Two"),
        ModelProfile(id="other/one", name="One"),
    ]
)


def test_a_model_answers_to_its_id_its_alias_and_its_bare_name() -> None:
    assert SMALL.resolve("acme/one").id == "acme/one"
    assert SMALL.resolve("UNO").id == "acme/one"
    assert SMALL.resolve("Two-3.5").id == "acme/two-3.5"
    assert SMALL.resolve("openrouter/acme/one").id == "acme/one"


def test_a_bare_name_of_two_models_is_refused_and_both_are_named() -> None:
    with pytest.raises(UnknownModelError) as refused:
        SMALL.resolve("one")
    assert set(refused.value.close) == {"acme/one", "other/one"}


def test_an_unknown_name_suggests_a_close_one() -> None:
    with pytest.raises(UnknownModelError, match=r"did you mean acme/two-3\.5"):
        SMALL.resolve("two-3.6")


def test_globs_match_ids_and_bare_names() -> None:
    assert [p.id for p in SMALL.match(["acme/*"])] == ["acme/one", "acme/two-3.5"]
    assert [p.id for p in SMALL.match(["one"])] == ["acme/one", "other/one"]
    assert len(SMALL.match(["all"])) == 3
    assert SMALL.match([]) == ()


def test_a_pool_has_one_entry_per_backend_and_then_the_models_nobody_serves() -> None:
    served = Backend(id="b1", profile_id="acme/one", kind="openai", provider="p", model_name="one")
    again = Backend(id="b2", profile_id="acme/one", kind="openai", provider="q", model_name="one")
    pool = SMALL.pool([served, again], also=["acme/*"])
    assert pool.ids == ("acme/one", "acme/one", "acme/two-3.5")
    assert pool.backend_ids == ("b1", "b2", None)


def test_a_backend_of_an_unknown_model_is_refused() -> None:
    stray = Backend(id="b", profile_id="no/where", kind="openai", provider="p", model_name="x")
    with pytest.raises(UnknownModelError, match="no/where"):
        SMALL.pool([stray])


def test_overlaid_profiles_make_a_new_catalog_and_a_new_version() -> None:
    more = SMALL.with_profiles([ModelProfile(id="acme/one", name="one", context_tokens=4096)])
    assert (more["acme/one"].context_tokens, more["acme/one"].params_total_b) == (4096, 7.0)
    assert SMALL["acme/one"].context_tokens is None
    assert more.version != SMALL.version


def test_what_is_packed_comes_back_the_same(tmp_path: Path) -> None:
    source = Provenance(source="its card", trust=Trust.LINKED)
    rates = Price(
        input_usd_per_mtok=Decimal("0.15"), output_usd_per_mtok=Decimal(60), reasoning_usd_per_mtok=Decimal("0.000001")
    )
    rates = replace(rates, long_context=replace(rates, output_usd_per_mtok=Decimal(90)), long_context_above_tokens=9)
    profile = ModelProfile(id="a/b", name="B", aliases=("c",), price=rates, provenance={"price": source})
    offer = Offer(profile_id="a/b", provider="p", model_name="bee", price=rates, source="its card")
    path = tmp_path / "catalog.json"
    path.write_bytes(Catalog.of([profile]).pack(offers={"a/b": [offer]}))
    known = Catalog.load(path)
    assert known["a/b"] == profile
    assert known.offers("a/b") == (offer,)
    assert known.pack() == path.read_bytes()


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[1]", b'{"schema": 99}', b"\xff\xfe", b'{"schema":1,"profiles":[3]}']
)
def test_a_file_that_is_no_catalog_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "catalog.json"
    path.write_bytes(content)
    with pytest.raises(ImportFailedError, match=r"catalog\.json"):
        Catalog.load(path)


@pytest.mark.parametrize(
    "name",
    [
        "gpt-4o-mini",
        "gpt-5",
        "claude-sonnet-4-5",
        "gemini-2.5-pro",
        "grok-4",
        "deepseek-v3.2",
        "llama-3.3-70b-instruct",
        "glm-4.6",
        "kimi-k2",
        "gpt-oss-120b",
        "mistral-large-2512",
    ],
)
def test_the_shipped_catalog_knows_the_models_of_today(name: str) -> None:
    profile = Catalog.load().resolve(name)
    assert profile.price is not None
    assert profile.context_tokens is not None
    assert profile.released is not None
    for stated in ("price", "context_tokens", "released"):
        assert profile.provenance[stated].source


def test_the_shipped_catalog_knows_who_charges_long_inputs_more() -> None:
    price = Catalog.load().resolve("gemini-2.5-pro").price
    assert price is not None
    assert price.at(300_000).input_usd_per_mtok > price.at(200_000).input_usd_per_mtok


def test_the_shipped_catalog_knows_the_embedded_model_and_that_it_is_free() -> None:
    profile = Catalog.load().resolve("SmolLM2-135M-Instruct")
    assert (profile.params_total_b, profile.license, profile.context_tokens) == (0.135, "Apache-2.0", 8192)
    assert profile.price == Price(input_usd_per_mtok=Decimal(0), output_usd_per_mtok=Decimal(0))
    assert "own machine" in profile.provenance["price"].source


def test_every_shipped_profile_can_be_built_and_every_fact_has_a_source() -> None:
    known = Catalog.load()
    assert len(known) > 1_000
    for profile in known:
        for name in ("price", "released", "params_total_b", "context_tokens", "license", "ability"):
            if getattr(profile, name):
                assert name in profile.provenance, (profile.id, name)


def test_models_of_routing_datasets_are_found_by_the_names_used_there() -> None:
    known = Catalog.load()
    assert (
        known.routing_id("routellm", "mistralai/Mixtral-8x7B-Instruct-v0.1") == "mistralai/mixtral-8x7b-instruct-v0.1"
    )
    assert known.routing_id("routellm", "nobody") is None


def test_what_was_measured_survives_an_import_into_a_compiled_catalog(tmp_path: Path) -> None:
    found = Measurement(
        name="yes_bias", value=-0.5, unit="share", method="statements", n=22, measured=date(2026, 1, 1), se=0.1
    )
    known = Catalog.of(
        [ModelProfile(id="a/b", name="b", measured={"yes_bias": found}, agent_risk=0.2, harm=0.1, bias=0.0)]
    )
    path = tmp_path / "catalog.json"
    path.write_bytes(known.pack())
    read = Catalog.load(path)["a/b"]
    assert read.measured == {"yes_bias": found}
    assert (read.agent_risk, read.harm, read.bias, read.hallucination_rate) == (0.2, 0.1, 0.0, None)


@pytest.mark.parametrize(
    ("field", "value"), [("agent_risk", 1.5), ("harm", -0.1), ("hallucination_rate", 5.0), ("risk_cvar95", -1.0)]
)
def test_a_risk_that_cannot_be_is_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(InvalidProfileError, match=field):
        ModelProfile(id="a/b", name="b", **{field: value})


@pytest.mark.parametrize("damage", [{"ability": 3}, {"price": []}, {"from": {"price": 9}}, {"derived": [[99, 1]]}])
def test_a_damaged_record_is_told_by_its_id(damage: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "catalog.json"
    document = json.loads(Catalog.of([ModelProfile(id="a/b", name="b")]).pack())
    document["profiles"][0] |= damage
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(ImportFailedError, match=r"a/b: its record is damaged.*rebuild"):
        Catalog.load(path)["a/b"]


def test_an_id_as_its_maker_writes_it_means_the_known_model() -> None:
    known = Catalog.of([ModelProfile(id="qwen/qwen3-8b", name="Qwen3 8B", context_tokens=32_768)])
    told = [
        ModelProfile(id="Qwen/Qwen3-8B", name="Qwen3-8B", params_total_b=8.2),
        ModelProfile(id="Acme/Own", name="Own"),  # known nowhere: a new one, as it is written
    ]
    after = known.with_profiles(known.spelled(told))
    assert after.ids == ("Acme/Own", "qwen/qwen3-8b")
    merged = after.resolve("Qwen/Qwen3-8B")
    assert (merged.name, merged.params_total_b, merged.context_tokens) == ("Qwen3 8B", 8.2, 32_768)


def test_two_models_that_differ_in_case_alone_stay_two() -> None:
    both = Catalog.of([ModelProfile(id="a/b", name="b"), ModelProfile(id="a/B", name="B")])
    assert [p.id for p in both.spelled([ModelProfile(id="A/B", name="B"), ModelProfile(id="a/B", name="B")])] == [
        "A/B",
        "a/B",
    ]


def test_an_ability_cannot_be_surer_than_certain() -> None:
    with pytest.raises(InvalidProfileError, match="must not be negative, but is -1"):
        Ability(mean=0.0, se=-1.0)
