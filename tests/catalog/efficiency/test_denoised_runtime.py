import numpy as np
import pytest

from catalog import InvalidMeasurementError
from catalog.efficiency.denoised_runtime import fit_denoised_runtime
from catalog.pools.pool import Floats


def calls(n: int = 600) -> tuple[Floats, Floats, Floats]:
    """Undisturbed: 0.2 s + 0.1 ms a prompt token + 20 ms an output token."""
    rng = np.random.default_rng(5)
    prompt, output = rng.uniform(10, 4000, n), rng.uniform(5, 400, n)
    return prompt, output, 0.2 + 1e-4 * prompt + 0.02 * (output - 1)


def test_undisturbed_calls_give_their_own_times_back() -> None:
    prompt, output, seconds = calls()
    told = fit_denoised_runtime(prompt_tokens=prompt, output_tokens=output, latency_s=seconds)
    assert told.start_s == pytest.approx(0.2, abs=0.01)
    assert told.seconds_per_output_token == pytest.approx(0.02, rel=0.01)
    assert told.contention == pytest.approx(1.0, abs=0.01)
    assert told.runtime_s(prompt_tokens=1000, output_tokens=101) == pytest.approx(2.3, rel=0.01)


def test_waiting_in_most_calls_is_told_apart_from_the_work() -> None:
    prompt, output, seconds = calls()
    rng = np.random.default_rng(6)
    crowded = seconds * np.where(rng.random(len(seconds)) < 0.7, 1 + rng.exponential(0.8, len(seconds)), 1.0)
    told = fit_denoised_runtime(prompt_tokens=prompt, output_tokens=output, latency_s=crowded)
    assert told.runtime_s(prompt_tokens=1000, output_tokens=101) == pytest.approx(2.3, rel=0.05)
    assert told.contention == pytest.approx(float(np.median(crowded / seconds)), rel=0.1)


def test_no_term_is_ever_negative() -> None:
    prompt, output, seconds = calls()
    told = fit_denoised_runtime(prompt_tokens=prompt, output_tokens=output, latency_s=seconds + 0.5 - 1e-4 * prompt)
    assert min(told.start_s, told.seconds_per_prompt_token, told.seconds_per_output_token) >= 0


@pytest.mark.parametrize("n", [5, 29])
def test_a_handful_of_calls_is_too_few(n: int) -> None:
    prompt, output, seconds = calls(n)
    with pytest.raises(InvalidMeasurementError, match="30 finished calls"):
        fit_denoised_runtime(prompt_tokens=prompt, output_tokens=output, latency_s=seconds)


def test_calls_of_one_length_tell_nothing_of_a_token() -> None:
    one = np.full(50, 100.0)
    with pytest.raises(InvalidMeasurementError, match="one length"):
        fit_denoised_runtime(prompt_tokens=one, output_tokens=one, latency_s=one)
