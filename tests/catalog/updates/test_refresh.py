from decimal import Decimal

import pytest

from catalog import Catalog, ModelProfile, Offer, Price, Provenance, Trust
from catalog.importers.litellm_prices import SOURCE, PriceMap
from catalog.updates.refresh import refreshed


def rates(dollars: int) -> Price:
    return Price(input_usd_per_mtok=Decimal(dollars), output_usd_per_mtok=Decimal(dollars))


def offer(model_id: str, provider: str, dollars: int) -> Offer:
    name = model_id.partition("/")[2]
    return Offer(profile_id=model_id, provider=provider, model_name=name, price=rates(dollars), source=SOURCE)


def test_a_makers_new_price_replaces_the_old_one_and_an_operators_stays() -> None:
    linked = Provenance(source="x", trust=Trust.LINKED)
    stated = Provenance(source="our file", trust=Trust.OPERATOR)
    known = Catalog.of(
        [
            ModelProfile(id="openai/gpt-a", name="a", price=rates(1), provenance={"price": linked}),
            ModelProfile(id="openai/gpt-b", name="b", price=rates(1), provenance={"price": stated}),
        ]
    )
    told = {key: (offer(f"openai/{key}", "openai", 7),) for key in ("gpt-a", "gpt-b", "gpt-new")}
    profiles, offers = refreshed(known, PriceMap(offers=told, findings=()))
    assert {p.id: p.price for p in profiles} == {
        "openai/gpt-a": rates(7),
        "openai/gpt-b": rates(1),
        "openai/gpt-new": rates(7),
    }
    assert offers["openai/gpt-new"][0].provider == "openai"


def test_a_model_without_a_maker_that_sells_it_costs_the_middle_of_what_hosts_ask() -> None:
    known = Catalog.of([ModelProfile(id="acme/open-8b", name="open")])
    asked = tuple(offer("acme/open-8b", host, dollars) for host, dollars in (("p", 1), ("q", 2), ("r", 9)))
    (profile,), _ = refreshed(known, PriceMap(offers={"open-8b": asked}, findings=()))
    assert profile.price == rates(2)
    assert profile.provenance["price"].trust is Trust.INFERRED


def test_the_price_of_a_text_follows_the_price_of_a_token() -> None:
    known = Catalog.load()
    was = known["qwen/qwen3-32b"]
    prices = PriceMap(offers={"qwen3-32b": (offer(was.id, "dashscope", 8),)}, findings=())
    now = {profile.id: profile for profile in refreshed(known, prices)[0]}[was.id]
    bits = was.derived["text_per_token"].value
    assert now.derived["price_per_mb_output"].value == pytest.approx(8 * 8 / bits, rel=1e-3)
    assert now.derived["energy"] == was.derived["energy"]
