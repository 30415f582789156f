"""Which profile the model of an outcome goes by."""

from catalog import ModelProfile
from catalog.registry import Catalog
from predictors.profiles import profile_of_outcome

CATALOG = Catalog.of([ModelProfile(id="maker/strong-1", name="Strong 1", aliases=("strong-1",))])


def test_a_name_is_found_by_id_and_by_alias() -> None:
    for name in ("maker/strong-1", "strong-1"):
        assert profile_of_outcome(CATALOG, dataset=None, name=name).id == "maker/strong-1"


def test_what_a_dataset_means_by_a_name_comes_first() -> None:
    catalog = Catalog.load()
    assert profile_of_outcome(catalog, dataset="zeroeval", name="gpt-4o-2024-05-13").id == "openai/gpt-4o-20240513"


def test_a_name_that_nobody_knows_gets_a_bare_profile_of_its_own() -> None:
    assert profile_of_outcome(CATALOG, dataset="mine", name="in house/x").id == "unlisted/in-house-x"
