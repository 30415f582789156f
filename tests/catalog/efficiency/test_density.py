import pytest

from catalog import InvalidProfileError
from catalog.efficiency.density import DOUBLING_DAYS, DensityLaw, size_needed_now

LAW = DensityLaw(a=6, alpha=0.15, b=6, beta=0.15, c=0.70, gamma=-6, l=0.35, d=0.25)  # synthetic


def test_loss_and_score_of_a_reference_of_eight_billion() -> None:
    assert LAW.loss(8e9) == pytest.approx(0.2912885, abs=1e-7)
    assert LAW.score(8e9) == pytest.approx(0.6610174, abs=1e-7)


def test_the_inverse_gives_the_size_back() -> None:
    assert LAW.effective_params(LAW.score(8e9)) == pytest.approx(8e9)


def test_a_score_of_sixty_percent_is_worth_1_4_billion() -> None:
    assert LAW.loss_of_score(0.60) == pytest.approx(0.35)
    assert LAW.effective_params(0.60) == pytest.approx(1.39681e9, rel=1e-5)
    assert LAW.density(score=0.60, params=2e9) == pytest.approx(0.698, abs=5e-4)


def test_a_score_of_seventy_percent_is_worth_35_billion() -> None:
    assert LAW.loss_of_score(0.70) == pytest.approx(0.2520356, abs=1e-7)
    assert LAW.effective_params(0.70) == pytest.approx(3.54335e10, rel=1e-5)


def test_near_the_ceiling_the_size_explodes_and_is_withheld_above_the_limit() -> None:
    assert LAW.effective_params(0.80) == pytest.approx(4.25e14, rel=1e-2)
    assert LAW.effective_params(0.80, most=1e13) is None


@pytest.mark.parametrize("score", [0.25, 0.1, 0.95, 1.0])
def test_a_score_outside_the_curve_has_no_size(score: float) -> None:
    assert LAW.effective_params(score) is None


def test_a_loss_below_what_the_data_allow_has_no_size() -> None:
    assert LAW.effective_params(0.949) is None


def test_density_doubles_every_95_days() -> None:
    assert pytest.approx(94.95, abs=0.005) == DOUBLING_DAYS
    assert size_needed_now(8e9, age_days=2 * DOUBLING_DAYS) == pytest.approx(2e9)


def test_a_rising_curve_is_refused() -> None:
    with pytest.raises(InvalidProfileError, match="gamma"):
        DensityLaw(a=6, alpha=0.15, b=6, beta=0.15, c=0.7, gamma=6, l=0.35, d=0.25)
