"""A model's place from its profile."""

from datetime import date

import numpy as np
import pytest

from catalog import Ability, ModelProfile
from predictors.quality.placement.cold_start import AbilityPrior, profile_features


def profile(name: str, *, params_b: float | None = None, ability: Ability | None = None) -> ModelProfile:
    return ModelProfile(
        id=f"maker/{name}",
        name=name,
        params_total_b=params_b,
        released=date(2024, 6, 1),
        ability={"general": ability} if ability else {},
    )


def a_family() -> list[ModelProfile]:
    """Ability grows by one with every e-fold of parameters."""
    sizes = np.exp(np.linspace(0, 6, 40))
    return [
        profile(f"m{i}", params_b=float(s), ability=Ability(mean=float(np.log(s)) - 3, se=0.1))
        for i, s in enumerate(sizes)
    ]


def test_a_larger_model_of_unknown_ability_is_expected_to_be_abler() -> None:
    prior = AbilityPrior(penalty=0.1).fit(a_family())
    small, large = prior.estimate(profile("s", params_b=2.0)), prior.estimate(profile("l", params_b=200.0))
    assert large.mean - small.mean == pytest.approx(np.log(100), abs=1.0)
    assert small.se == large.se == prior.sd_


def test_a_measured_ability_outweighs_the_guess_by_its_precision() -> None:
    prior = AbilityPrior().fit(a_family())
    sure = prior.estimate(profile("x", params_b=20.0, ability=Ability(mean=5.0, se=0.01)))
    vague = prior.estimate(profile("x", params_b=20.0, ability=Ability(mean=5.0, se=10.0)))
    guess = prior.estimate(profile("x", params_b=20.0))
    assert sure.mean == pytest.approx(5.0, abs=0.05)
    assert vague.mean == pytest.approx(guess.mean, abs=0.05)
    assert sure.se < vague.se <= guess.se


def test_a_profile_that_says_nothing_is_an_average_model_with_the_widest_error() -> None:
    prior = AbilityPrior().fit(a_family())
    nothing = prior.estimate(ModelProfile(id="maker/unknown", name="unknown"))
    assert nothing.se == prior.sd_
    assert np.isfinite(nothing.mean)


def test_an_axis_enters_as_its_difference_from_general_ability_shrunk_by_its_error() -> None:
    prior = AbilityPrior().fit(a_family())
    abilities = {"general": Ability(mean=1.0, se=0.1), "maths": Ability(mean=1.5, se=0.5)}
    model = ModelProfile(id="maker/m", name="m", ability=abilities)
    values = profile_features([model], prior).values
    assert values[0, 1] == pytest.approx(0.25)  # 0.5 more, half believed: 0.25 / (0.25 + 0.5 ** 2)


def test_a_release_date_counts_in_years_and_not_beyond_the_outcomes() -> None:
    prior = AbilityPrior().fit(a_family())
    dates = (date(2024, 1, 1), date(2026, 6, 1))
    models = [ModelProfile(id=f"maker/{d.year}", name="m", released=d) for d in dates]
    years = profile_features(models, prior).values[:, -1]
    assert years.tolist() == pytest.approx([1.0, 2.0], abs=0.01)  # since 2023; later than 2024 is not extrapolated
