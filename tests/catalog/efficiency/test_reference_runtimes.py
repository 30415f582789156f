import pytest

from catalog.efficiency.idealized_runtime import A100_USD_PER_HOUR, DAVINCI
from catalog.efficiency.reference_runtimes import REFERENCE_RUNTIMES, gpu_time


def test_the_published_davinci_is_the_one_of_the_oracles() -> None:
    _, davinci = REFERENCE_RUNTIMES["davinci"]
    asked = {"prompt_tokens": 512, "output_tokens": 32}
    assert davinci.runtime_s(**asked) == pytest.approx(DAVINCI.runtime_s(**asked)) == pytest.approx(2.689)


@pytest.mark.parametrize(
    ("model", "seconds", "cents"),
    [
        ("curie", 0.047 + 31 * 0.024, (0.047 + 31 * 0.024) * 4.096 / 36),
        ("BLOOM", 0.191 + 31 * 0.061, (0.191 + 31 * 0.061) * 4.096 * 8 / 36),
        ("TNLGv2", 0.490 + 31 * 0.123, (0.490 + 31 * 0.123) * 4.096 * 24 / 36),
    ],
)
def test_idealized_runtime_and_cost_follow_from_the_published_table(model: str, seconds: float, cents: float) -> None:
    _, runtime = REFERENCE_RUNTIMES[model]
    assert runtime.runtime_s(prompt_tokens=512, output_tokens=32) == pytest.approx(seconds)
    cost = runtime.cost_usd(prompt_tokens=512, output_tokens=32, usd_per_gpu_hour=A100_USD_PER_HOUR)
    assert 100 * cost == pytest.approx(cents)


def test_the_fit_is_within_its_band_of_two_thirds_of_the_measured_and_of_all_twice_over() -> None:
    off = [
        max(ratio, 1 / ratio)
        for size, runtime in REFERENCE_RUNTIMES.values()
        if (ratio := gpu_time(size).per_output_token_s / (runtime.gpus * runtime.seconds_per_output_token))
    ]
    factor = gpu_time(7.0).factor
    assert sum(each <= factor for each in off) >= 6
    assert max(off) <= factor**2


def test_a_larger_model_takes_longer_and_one_outside_the_measured_range_is_marked() -> None:
    small, large, giant = gpu_time(7.0), gpu_time(70.0), gpu_time(5000.0)
    assert small.per_output_token_s < large.per_output_token_s
    assert small.per_prompt_token_s < large.per_prompt_token_s < large.per_output_token_s  # reading is cheap
    assert (small.extrapolated, giant.extrapolated) == (False, True)
