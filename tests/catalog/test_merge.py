from decimal import Decimal

from catalog import Ability, ModelProfile, Price, Provenance, Trust, merge_profiles

CLAIMED = Provenance(source="the maker", trust=Trust.SELF_REPORTED)
LINKED = Provenance(source="a registry", trust=Trust.LINKED)
OPERATOR = Provenance(source="our file", trust=Trust.OPERATOR)


def test_of_two_sources_the_more_trusted_one_wins() -> None:
    known = ModelProfile(id="a/b", name="b", context_tokens=8192, provenance={"context_tokens": LINKED})
    claimed = ModelProfile(id="a/b", name="b", context_tokens=999_999, provenance={"context_tokens": CLAIMED})
    assert merge_profiles(known, claimed).context_tokens == 8192
    stated = ModelProfile(id="a/b", name="b", context_tokens=4096, provenance={"context_tokens": OPERATOR})
    merged = merge_profiles(known, stated)
    assert (merged.context_tokens, merged.provenance["context_tokens"]) == (4096, OPERATOR)


def test_what_the_newcomer_does_not_know_stays() -> None:
    price = Price(input_usd_per_mtok=Decimal(1), output_usd_per_mtok=Decimal(2))
    known = ModelProfile(id="a/b", name="B!", price=price, capabilities=frozenset({"streaming", "tools"}))
    merged = merge_profiles(known, ModelProfile(id="a/b", name="b", params_total_b=7.0))
    assert (merged.price, merged.capabilities, merged.params_total_b, merged.name) == (
        price,
        frozenset({"streaming", "tools"}),
        7.0,
        "B!",
    )


def test_aliases_and_abilities_add_up() -> None:
    maths, code = Ability(mean=1.0, se=0.1), Ability(mean=2.0, se=0.2)
    known = ModelProfile(id="a/b", name="b", aliases=("x",), ability={"maths": maths})
    merged = merge_profiles(known, ModelProfile(id="a/b", name="b", aliases=("x", "y"), ability={"code": code}))
    assert merged.aliases == ("x", "y")
    assert dict(merged.ability) == {"maths": maths, "code": code}
