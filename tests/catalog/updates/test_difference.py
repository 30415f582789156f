from dataclasses import replace
from datetime import date
from decimal import Decimal

from catalog import Catalog, Measurement, ModelProfile, Price
from catalog.updates.difference import differences
from catalog.updates.importing import import_profiles


def priced(output: int) -> Price:
    return Price(input_usd_per_mtok=Decimal(1), output_usd_per_mtok=Decimal(output))


OLD = Catalog.of(
    [
        ModelProfile(id="a/gone", name="gone"),
        ModelProfile(id="a/kept", name="kept", price=priced(10), context_tokens=8_000, params_total_b=7.0),
    ]
)
NEW = Catalog.of(
    [
        ModelProfile(id="a/kept", name="kept", price=priced(5), context_tokens=8_000, params_total_b=8.0),
        ModelProfile(id="a/new", name="new"),
    ]
)


def test_models_that_came_and_went_are_told() -> None:
    found = differences(OLD, NEW)
    assert (found.added, found.removed) == (("a/new",), ("a/gone",))


def test_a_price_that_halved_is_a_drift_of_one_half() -> None:
    (drift,) = differences(OLD, NEW).prices
    assert (drift.rate, drift.was_usd_per_mtok, drift.now_usd_per_mtok, drift.ratio) == ("output", 10.0, 5.0, 0.5)


def test_the_rates_of_long_inputs_drift_too() -> None:
    def of(output: int) -> Catalog:
        price = replace(priced(10), long_context=priced(output), long_context_above_tokens=200_000)
        return Catalog.of([ModelProfile(id="a/kept", name="kept", price=price)])

    (drift,) = differences(of(20), of(30)).prices
    assert (drift.rate, drift.ratio) == ("long_context.output", 1.5)


def test_another_size_under_the_same_name_and_version_is_a_silent_change() -> None:
    (silent,) = differences(OLD, NEW).silent
    assert (silent.model_id, silent.field, silent.was, silent.now) == ("a/kept", "params_total_b", 7.0, 8.0)


def test_a_fact_learned_anew_or_a_new_version_is_no_silent_change() -> None:
    learned = Catalog.of([ModelProfile(id="a/kept", name="kept", released=date(2026, 1, 1), version="2.0.0")])
    found = differences(Catalog.of([ModelProfile(id="a/kept", name="kept")]), learned)
    assert {change.field for change in found.changed} == {"released", "version"}
    assert found.silent == ()


def test_a_catalog_does_not_differ_from_itself() -> None:
    found = differences(Catalog.load(), Catalog.load())
    assert not any((found.added, found.removed, found.changed, found.prices, found.silent))


def test_another_digest_is_other_weights_though_an_import_moved_our_version_on() -> None:
    known = Catalog.of([ModelProfile(id="a/kept", name="kept", digest="sha256:a")])
    told = import_profiles(known, [ModelProfile(id="a/kept", name="kept", digest="sha256:b")], source="f").catalog
    assert told["a/kept"].version == "1.1.0"
    (silent,) = differences(known, told).silent
    assert (silent.field, silent.was, silent.now) == ("digest", "sha256:a", "sha256:b")


def test_a_measurement_that_changed_is_told() -> None:
    def of(value: float) -> Catalog:
        found = Measurement(name="x", value=value, unit="1", method="m", n=9, measured=date(2026, 1, 1))
        return Catalog.of([ModelProfile(id="a/kept", name="kept", measured={"x": found})])

    (change,) = differences(of(0.1), of(0.2)).changed
    assert (change.field, change.was, change.now) == ("measured", {"x": (0.1, None, 9)}, {"x": (0.2, None, 9)})
