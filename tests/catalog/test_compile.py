import os
from pathlib import Path

import pytest

from catalog import Catalog
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
    ours = ("our factor model", "estimated from", "routing data", "the model's own card", "runs on the user's own")
    told = {source.source for profile in Catalog.load() for source in profile.provenance.values()}
    assert [source for source in told if not source.startswith((*allowed, *ours))] == []
