import numpy as np
import pytest

from predictors.quality.placement.factorization import sigmoid
from predictors.quality.placement.placing import Placing, conformal_sd, learn_placing, mean_shift

N_MODELS, N_PROMPTS = 40, 400
MAKERS = [f"maker {i % 10}" for i in range(N_MODELS)]


def learned(
    *, noise: float, of_prompt: float = 1.0, per_year: float = 0.0, seed: int = 0, n: int = N_MODELS
) -> tuple[Placing, np.ndarray]:
    """Models whose strength is their profile's word plus noise; what the misses of the places are made of."""
    rng = np.random.default_rng(seed)
    profile = rng.normal(size=n)
    years = np.linspace(0.0, 2.0, n)
    miss = noise * rng.normal(size=n) + per_year * np.maximum(years - 1.0, 0.0)
    rows = np.stack([np.ones(n), profile], axis=1)
    vectors = np.stack([profile + miss, np.zeros(n)], axis=1)
    side = np.stack([rng.normal(size=N_PROMPTS), np.zeros(N_PROMPTS)], axis=1)
    chance = sigmoid(of_prompt * side[:, :1] + vectors[:, 0])
    score = (rng.random(chance.shape) < chance).astype(np.float64)
    placing = learn_placing(vectors=vectors, rows=rows, side=side, score=score, owner=MAKERS[:n], years=years)
    return placing, miss


def test_the_error_of_a_place_is_what_hidden_models_missed_it_by() -> None:
    surely, _ = learned(noise=0.1)
    vaguely, miss = learned(noise=0.8)
    assert surely.sd < 0.25
    assert vaguely.sd == pytest.approx(np.quantile(np.abs(miss), 0.9) / 1.645, rel=0.35)


def test_an_interval_learned_from_some_models_covers_nine_in_ten_others() -> None:
    inside = []
    for seed in range(12):
        placing, _ = learned(noise=0.5, seed=seed)
        _, others = learned(noise=0.5, seed=100 + seed)
        inside.append(np.mean(np.abs(others) <= 1.645 * placing.sd))
    assert 0.85 < np.mean(inside) < 0.96


def test_a_prompts_part_that_says_too_much_is_believed_less() -> None:
    placing, _ = learned(noise=0.1, of_prompt=0.3)
    assert placing.of_prompt == pytest.approx(0.3, abs=0.07)
    assert placing.of_strength == pytest.approx(1.0, abs=0.1)


def test_the_order_of_the_questions_is_never_given_up() -> None:
    placing, _ = learned(noise=0.1, of_prompt=-0.5)  # hidden questions that happen to turn the order round
    assert placing.of_prompt == pytest.approx(0.1)


def test_a_drift_with_time_widens_the_error_of_who_is_newer_than_all() -> None:
    steady, _ = learned(noise=0.1)
    drifting, _ = learned(noise=0.1, per_year=1.5)
    assert steady.sd_per_year < 0.3
    assert drifting.sd_per_year > 0.5
    ahead = drifting.error(np.zeros(3), np.array([-1.0, 0.0, 1.0]))
    assert ahead[0] == ahead[1] < ahead[2]


def test_a_profile_unlike_all_others_has_a_wider_error() -> None:
    assert Placing(sd=0.5).error(np.array([0.0, 3.0]), np.zeros(2)) == pytest.approx([0.5, 1.0])


def test_too_few_models_to_hide_any_are_believed_within_a_logit() -> None:
    assert learned(noise=0.1, n=5)[0] == Placing()


def test_the_shift_that_was_missing_makes_the_mean_what_was_observed() -> None:
    logit, score = np.array([-1.0, 0.0, 1.0, 2.0]), np.array([0.0, 0.0, 1.0, 0.0])
    assert sigmoid(logit + mean_shift(logit, score)).mean() == pytest.approx(0.25)
    assert mean_shift(np.zeros(10), np.ones(10)) == pytest.approx(
        np.log(19)
    )  # all right: as if half an answer were not


def test_the_conformal_rank_is_that_of_the_next_miss() -> None:
    assert conformal_sd(np.arange(1.0, 20.0)) == pytest.approx(18.0 / 1.6448536)  # the 18th of 19: 20 x 0.9
    assert conformal_sd(np.array([0.2, -0.4])) == pytest.approx(0.4 / 1.6448536)  # too few: the largest
