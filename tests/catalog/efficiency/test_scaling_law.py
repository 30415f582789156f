import pytest

from catalog import InvalidMeasurementError
from catalog.efficiency.scaling_law import MUENNIGHOFF, DifficultyLaw


@pytest.mark.parametrize(
    ("params", "tokens", "loss"), [(1e9, 20e9, 2.564635), (7e9, 140e9, 2.219298), (7e10, 1.4e12, 2.024597)]
)
def test_the_published_constants_give_the_published_losses(params: float, tokens: float, loss: float) -> None:
    assert MUENNIGHOFF.loss(params=params, tokens=tokens) == pytest.approx(loss, abs=1e-6)


def test_a_sibling_keeps_its_familys_level_and_borrows_the_slope() -> None:
    small, large = (MUENNIGHOFF.loss(params=p, tokens=1e12) for p in (1e9, 7e9))
    told = MUENNIGHOFF.sibling_loss(measured_loss=small + 0.1, measured_params=1e9, params=7e9)
    assert told == pytest.approx(large + 0.1)


def test_a_cluster_rises_to_its_ceiling() -> None:
    law = DifficultyLaw(chance=0.25, a=2.0, b=0.5, c=0.05)
    assert law.accuracy(100.0) == pytest.approx(0.834101, abs=1e-6)
    assert law.extrapolates
    assert not DifficultyLaw(chance=0.25, a=0.5, b=0.5, c=0.05).extrapolates


def test_nothing_has_no_size() -> None:
    with pytest.raises(InvalidMeasurementError, match="positive"):
        MUENNIGHOFF.loss(params=0, tokens=1e9)
