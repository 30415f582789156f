import pytest

from catalog import InvalidProfileError
from catalog.efficiency.idealized_runtime import A100_USD_PER_HOUR, DAVINCI, RuntimeProfile, idealized_flops


@pytest.mark.parametrize(
    ("prompt", "output", "seconds"),
    [
        (512, 32, 2.689),  # 0.178 + 0.081 x 31
        (500, 32, 2.68483),  # 0.178 x 500 / 512 + 2.511
        (2000, 10, 1.35088),  # past the grid: 0.597 x 2000 / 1920 + 0.729
        (300, 0, 0.125625),  # 0.134 x 300 / 320, nothing generated
    ],
)
def test_davinci_takes_what_the_authors_code_says(prompt: int, output: int, seconds: float) -> None:
    told = DAVINCI.runtime_s(prompt_tokens=prompt, output_tokens=output, reference=True)
    assert told == pytest.approx(seconds, abs=6e-6)


def test_a_call_of_davinci_costs_two_and_a_half_cents_of_eight_a100() -> None:
    cost = DAVINCI.cost_usd(prompt_tokens=512, output_tokens=32, usd_per_gpu_hour=A100_USD_PER_HOUR)
    assert 100 * cost == pytest.approx(2.4476, abs=5e-5)


def test_its_operations() -> None:
    told = idealized_flops(hidden_size=12288, layers=96, prompt_tokens=512, output_tokens=32)
    assert told == pytest.approx(1.88906e14, rel=1e-5)


def test_a_prompt_shorter_than_any_measured_takes_the_smallest_time() -> None:
    grid = RuntimeProfile(seconds_per_output_token=0.1, prompt_s={100: 1.0, 200: 3.0})
    assert grid.prompt_time_s(1) == 1.0
    assert grid.prompt_time_s(1, reference=True) == pytest.approx(0.01)  # the reference makes it look free


def test_between_measured_sizes_the_time_is_linear() -> None:
    grid = RuntimeProfile(seconds_per_output_token=0.1, prompt_s={100: 1.0, 200: 3.0})
    assert grid.prompt_time_s(150) == pytest.approx(2.0)


def test_a_profile_without_measurements_is_refused() -> None:
    with pytest.raises(InvalidProfileError, match="measured"):
        RuntimeProfile(seconds_per_output_token=0.1, prompt_s={})
