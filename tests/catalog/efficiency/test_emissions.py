import pytest

from catalog import InvalidProfileError
from catalog.efficiency.emissions import Emissions, energy_wh, grams_per_request, reporting_class


def test_classes_by_what_is_reported() -> None:
    assert reporting_class(None) == "R0"
    assert reporting_class(Emissions(grams=1.0)) == "R1"
    assert reporting_class(Emissions(grams=1.0, source="paper")) == "R1"
    assert reporting_class(Emissions(grams=1.0, source="paper", hardware="A100")) == "R2"
    full = Emissions(grams=1.0, source="paper", hardware="A100", location="Quebec", training_type="fine-tuning")
    assert reporting_class(full) == "R3"


def test_a_request_of_36_seconds_on_a_kilowatt() -> None:
    energy = energy_wh(runtime_s=36.0, power_w=1_000.0, power_usage_effectiveness=1.2)
    assert energy == pytest.approx(12.0)  # 0.01 h x 1,000 W x 1.2
    assert grams_per_request(energy_wh=energy, grid_grams_per_kwh=400.0) == pytest.approx(4.8)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(InvalidProfileError):
        Emissions(grams=-1.0)
    with pytest.raises(InvalidProfileError):
        energy_wh(runtime_s=1.0, power_w=1.0, power_usage_effectiveness=0.9)
