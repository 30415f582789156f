from decimal import Decimal

from catalog import Ability, ModelProfile, Price, Provenance, Trust, merge_profiles
from catalog.profiles.derived_fact import DerivedFact

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


def test_what_was_derived_goes_where_the_size_it_rests_on_changes() -> None:
    inferred = Provenance(source="inferred", trust=Trust.INFERRED)
    fact = DerivedFact(name="energy", value=9.0, unit="Wh/M tokens", method="a law")
    known = ModelProfile(
        id="a/b", name="b", params_total_b=8.0, energy_wh_per_mtok=9.0, derived={"energy": fact},
        provenance={"energy_wh_per_mtok": inferred, "params_total_b": inferred},
    )  # fmt: skip
    resized = merge_profiles(known, ModelProfile(id="a/b", name="b", params_total_b=4.0))
    assert (resized.params_total_b, resized.energy_wh_per_mtok, dict(resized.derived)) == (4.0, None, {})
    described = merge_profiles(known, ModelProfile(id="a/b", name="b", license="MIT"))
    assert (described.energy_wh_per_mtok, dict(described.derived)) == (9.0, {"energy": fact})


def test_abilities_merge_axis_by_axis_each_with_its_own_source_and_its_own_trust() -> None:
    ours, board, measured = (
        Provenance(source=name, trust=trust)
        for name, trust in (("factors", Trust.INFERRED), ("a board", Trust.INFERRED), ("probe", Trust.MEASURED))
    )
    known = ModelProfile(
        id="a/b",
        name="b",
        ability={
            "general": Ability(mean=1.0, se=0.1, n_benchmarks=9),
            "code": Ability(mean=0.0, se=0.1, n_benchmarks=2),
        },
        provenance={"ability": ours, "ability.code": measured},
    )
    told = ModelProfile(
        id="a/b",
        name="b",
        ability={"maths": Ability(mean=2.0, se=0.2), "code": Ability(mean=9.0, se=0.2)},
        provenance={"ability.maths": board, "ability.code": board},
    )
    merged = merge_profiles(known, told)
    assert {axis: a.mean for axis, a in merged.ability.items()} == {"general": 1.0, "code": 0.0, "maths": 2.0}
    assert merged.provenance == {"ability": ours, "ability.code": measured, "ability.maths": board}
