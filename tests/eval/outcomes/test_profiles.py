from decimal import Decimal

from catalog import ModelProfile, Price
from catalog.registry import Catalog
from eval.outcomes.profiles import catalog_profiles

CHEAP = Price(input_usd_per_mtok=Decimal(1), output_usd_per_mtok=Decimal(2))
DEAR = Price(input_usd_per_mtok=Decimal(10), output_usd_per_mtok=Decimal(20))
CATALOG = Catalog.of([ModelProfile(id="maker/strong-1", name="Strong 1", aliases=("strong-1",), price=DEAR)])


def test_a_known_model_keeps_its_id_and_takes_the_tables_price() -> None:
    listed = {"strong-1": ModelProfile(id="mine/strong-1", name="strong-1", price=CHEAP, params_total_b=7.0)}
    found = catalog_profiles(["strong-1"], dataset="mine", catalog=CATALOG, listed=listed)["strong-1"]
    assert (found.id, found.price, found.params_total_b) == ("maker/strong-1", CHEAP, 7.0)


def test_without_a_price_of_its_own_the_catalogs_counts() -> None:
    assert catalog_profiles(["strong-1"], dataset="mine", catalog=CATALOG, listed={})["strong-1"].price == DEAR


def test_a_model_nobody_knows_gets_a_bare_profile() -> None:
    found = catalog_profiles(["my own model"], dataset="mine", catalog=CATALOG, listed={})["my own model"]
    assert (found.id, found.price) == ("unlisted/my-own-model", None)
