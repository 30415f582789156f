from datetime import date, timedelta

import pytest

from catalog import Ability, Catalog, InvalidMeasurementError, ModelProfile
from catalog.derived import SizeLaw, derived_facts, neighbours, plateau_advice

DAY = date(2025, 1, 1)


def measured(name: str, size: float, ability: float, *, released: date = DAY) -> ModelProfile:
    return ModelProfile(
        id=f"acme/{name}",
        name=name,
        family="kin",
        params_total_b=size,
        open_weights=True,
        released=released,
        ability={"general": Ability(mean=ability, se=0.1, n_benchmarks=9)},
    )


def a_lawful_catalog() -> list[ModelProfile]:
    """Ability = 1 x log10(size) + 1 per year, exactly: the size that an ability needs falls tenfold a year."""
    models = []
    for k in range(30):
        days = 25 * k - 365
        size = 10.0 ** (k % 4 - 1)
        models.append(measured(f"m{k}", size, k % 4 - 1 + days / 365.25, released=DAY + timedelta(days=days)))
    return models


def test_a_lawful_catalog_gives_its_own_law_back() -> None:
    law = SizeLaw.fit(a_lawful_catalog())
    assert (law.per_year, law.per_decade, law.n_models) == (pytest.approx(1.0), pytest.approx(1.0), 30)
    assert law.halving_days == pytest.approx(0.30103 * 365.25, rel=1e-4)
    assert law.effective_params_b(law.start + 1.0) == pytest.approx(10.0)
    assert law.effective_params_b(law.start + 9.0) is None  # far outside what was fitted


def test_twice_the_ability_for_the_size_is_a_density_above_one() -> None:
    law = SizeLaw.fit(a_lawful_catalog())
    facts = {f.name: f for f in derived_facts(measured("x", 1.0, law.start + 1.0), law=law)}
    assert facts["capacity_density"].value == pytest.approx(10.0)  # as able as a model of ten times its size


def test_a_known_shape_is_counted_and_a_known_size_is_estimated() -> None:
    known = {f.name: f for f in derived_facts(ModelProfile(id="meta-llama/llama-3.1-8b", name="x", params_total_b=8.0))}
    assert known["flops_per_token"].value == pytest.approx(1.5277e10, rel=0.001)
    assert known["flops_per_token"].factor is None
    guessed = {f.name: f for f in derived_facts(ModelProfile(id="acme/x", name="x", params_total_b=8.0))}
    assert guessed["flops_per_token"].value == 1.6e10
    assert guessed["flops_per_token"].factor == 1.2


def test_a_model_half_the_doubling_time_old_needs_its_size_by_the_root_of_two() -> None:
    profile = ModelProfile(id="acme/x", name="x", params_total_b=8.0, released=DAY)
    facts = {f.name: f for f in derived_facts(profile, as_of=DAY + timedelta(days=95))}
    assert facts["size_needed_now"].value == pytest.approx(4.0, rel=0.001)


def test_nothing_is_inferred_of_a_closed_model() -> None:
    assert derived_facts(ModelProfile(id="openai/gpt-5", name="x"), as_of=DAY) == ()


def test_a_smaller_sibling_as_able_within_the_error_is_preferred() -> None:
    small, large = measured("s", 8.0, 1.00), measured("l", 70.0, 1.10)  # apart by 0.10, the error is 0.14
    assert "acme/s (8B) is as able" in str(plateau_advice(large, [small, large]))
    assert "plateau" in str(plateau_advice(small, [small, large]))
    clear = measured("l", 70.0, 2.0)
    assert "by more than the error" in str(plateau_advice(clear, [small, clear]))
    assert plateau_advice(small, [small]) is None


def test_neighbours_in_size_are_of_the_same_series_where_that_has_any() -> None:
    mine = measured("star2-8b", 8.0, 1.0)
    larger, older = measured("star2-70b", 70.0, 2.0), measured("star1-30b", 30.0, 0.9)
    assert neighbours(mine, [mine, larger, older]) == (None, larger)
    assert neighbours(mine, [mine, older]) == (None, older)  # else the family has to do


def test_energy_and_carbon_of_a_request_name_their_method_and_their_band() -> None:
    facts = {f.name: f for f in derived_facts(ModelProfile(id="acme/x", name="x", params_total_b=175.0))}
    energy, carbon = facts["energy_per_request"], facts["carbon_per_request"]
    per_token, reading = facts["idealized_gpu_time"].value, facts["idealized_prompt_time"].value
    gpu_s = (300 * per_token + reading) / 1e3  # ms: 300 tokens out, a thousand in
    assert energy.value == pytest.approx(gpu_s * 400 * 1.2 / 3600)
    assert carbon.value == pytest.approx(energy.value * 0.48)  # 480 g/kWh
    assert "R0" in energy.method
    assert energy.factor is not None
    assert carbon.factor is not None
    assert carbon.factor > energy.factor > 1.0


def test_a_needed_size_is_banded_by_the_two_editions_of_the_law() -> None:
    profile = ModelProfile(id="acme/x", name="x", params_total_b=8.0, released=DAY)
    facts = {f.name: f for f in derived_facts(profile, as_of=DAY + timedelta(days=1060))}
    told = facts["size_needed_now"]
    assert told.factor is not None
    assert told.value * told.factor == pytest.approx(8.0 * 2.0**-10)  # 106 days: ten halvings


def test_too_few_models_or_useless_size_give_no_law() -> None:
    with pytest.raises(InvalidMeasurementError, match="20"):
        SizeLaw.fit([measured("a", 1.0, 0.0)])
    with pytest.raises(InvalidMeasurementError, match="no size law"):
        SizeLaw.fit([measured(f"m{k}", 10.0 ** (k % 3), -float(k % 3)) for k in range(30)])


def test_in_the_shipped_catalog_the_size_that_an_ability_needs_halves_in_months() -> None:
    law = SizeLaw.fit(Catalog.load())
    assert law.n_models > 100
    assert 60 < law.halving_days < 200  # the published law says 95
    assert law.factor > 2  # and single models scatter widely about it
