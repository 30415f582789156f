import os
from pathlib import Path

import pytest

from catalog import Catalog, Trust
from catalog.compile import compile_catalog
from catalog.importers.litellm_prices import PriceMap

DATA = Path(os.environ.get("PARETOGATE_DATA", Path(__file__).parents[3] / "shared" / "data"))
NO_PRICES = PriceMap(offers={}, findings=())

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not (DATA / "catalog").is_dir(), reason=f"no catalog tables under {DATA}"),
]


def test_abilities_can_be_estimated_without_the_benchmark_that_is_to_be_predicted() -> None:
    whole = {p.id: p for p in compile_catalog(DATA, prices=NO_PRICES).profiles}
    without = {p.id: p for p in compile_catalog(DATA, prices=NO_PRICES, exclude=["*gsm8k*"]).profiles}
    model = "openai/gpt-4-0314"
    assert without[model].ability["general"].n_benchmarks < whole[model].ability["general"].n_benchmarks


def test_every_model_of_the_permissive_routing_sets_has_a_profile() -> None:
    built = compile_catalog(DATA, prices=NO_PRICES)
    ids = {profile.id for profile in built.profiles}
    assert {dataset: len(built.routing[dataset]) for dataset in ("routellm", "mmlu_pro", "zeroeval", "llmrouter")} == {
        "routellm": 2,
        "mmlu_pro": 29,
        "zeroeval": 57,
        "llmrouter": 9,
    }
    assert all(model_id in ids for names in built.routing.values() for model_id in names.values())


def test_what_ships_names_only_sources_that_may_be_redistributed() -> None:
    allowed = ("models.dev", "llm-stats", "helm", "inspect_ai", "epoch", "litellm price map", "median of", "most hosts")
    ours = ("our factor model", "estimated from", "routing data", "runs on the user's own")
    ours += ("counted from the dimensions", "inferred: ", "files of ", "its maker's card", "inferred from ")
    allowed += ("vectara hallucination leaderboard",)
    told = {source.source for profile in Catalog.load() for source in profile.provenance.values()}
    assert [source for source in told if not source.startswith((*allowed, *ours))] == []


def test_slips_that_a_registry_ships_are_put_right() -> None:
    known = Catalog.load()
    assert known["microsoft/phi-2"].params_total_b == pytest.approx(2.7, rel=0.03)
    assert known["nvidia/nemotron-nano-9b-v2"].params_total_b == 9.0
    assert known["meta-llama/llama-4-scout-17b-16e"].params_total_b == pytest.approx(109, rel=0.03)


def test_what_is_shipped_can_be_weighed_by_energy_where_the_size_is_known() -> None:
    profile = Catalog.load()["deepseek/deepseek-v3"]
    assert profile.energy_wh_per_mtok == profile.derived["energy"].value
    assert profile.provenance["energy_wh_per_mtok"].trust is Trust.INFERRED
    assert {"flops_per_token", "cache_per_token", "dense_equivalent", "size_needed_now"} <= set(profile.derived)
    assert Catalog.load()["openai/gpt-4o"].energy_wh_per_mtok is None  # nobody knows its size


def test_sight_and_hearing_are_told_alike_by_senses_and_by_abilities() -> None:
    for profile in Catalog.load().match(["all"]):
        assert ("image" in profile.modalities_in) == ("vision" in profile.capabilities), profile.id
        assert ("audio" in profile.modalities_in) == ("audio" in profile.capabilities), profile.id


def test_an_undated_name_and_its_dated_releases_know_each_other() -> None:
    known = Catalog.load()
    assert known["openai/gpt-4o-20240806"].snapshot_of == "openai/gpt-4o"
    assert "openai/gpt-4o-20240806" in known.lineage("openai/gpt-4o")
    assert known.lineage("openai/gpt-4o-20240806")[0] == "openai/gpt-4o"
    assert known.lineage("huggingfacetb/smollm2-135m-instruct") == ()
