import json
from pathlib import Path

import numpy as np
import pytest

from catalog import Backend, Measured, ModelProfile, Pool, PoolEntry
from predictors import BadArtefactError, NotFittedError
from predictors.length.capped import capped_moments
from predictors.length.model import LengthPredictor
from predictors.thinking import Thinking

FLAT = np.zeros(2)


def flat_predictor(*, level: float = 100.0, noise_sd: float = 0.6, model_sd: float = 0.4) -> LengthPredictor:
    """Every prompt gets `level` tokens (geometric mean) from the average model."""
    rows, tokens = np.zeros((4, 2)), np.full(4, level)
    return LengthPredictor().fit(rows, tokens, feature_name="flat", noise_sd=noise_sd, model_sd=model_sd)


def entry(name: str = "m", *, measured: Measured | None = None, **facts: object) -> PoolEntry:
    profile = ModelProfile(id=f"x/{name}", name=name, **facts)  # type: ignore[arg-type]
    if measured is None:
        return PoolEntry(profile=profile)
    backend = Backend(id=name, profile_id=profile.id, kind="fake", provider="x", model_name=name, measured=measured)
    return PoolEntry(profile=profile, backend=backend)


def test_an_unknown_model_writes_what_the_average_model_writes() -> None:
    tokens, sd = flat_predictor().bind(Pool([entry()])).estimate(FLAT)
    variance = 0.6**2 + 0.4**2  # of the prompt's noise and of the model's verbosity
    assert tokens[0] == pytest.approx(100 * np.exp(variance / 2))
    assert sd[0] == pytest.approx(tokens[0] * np.sqrt(np.exp(variance) - 1))


def test_the_prompt_moves_the_length() -> None:
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(2000, 2))
    predictor = LengthPredictor(ridge=1.0).fit(
        rows, np.exp(5 + rows[:, 0]), feature_name="two", noise_sd=0.1, model_sd=0.1
    )
    np.testing.assert_allclose(predictor.log_tokens(np.array([1.0, 0.0])), 6.0, atol=0.01)


def test_a_model_that_can_think_is_expected_to_write_over_five_times_as_much_less_surely() -> None:
    pool = Pool([entry(), entry("r", capabilities=frozenset({"reasoning"}))])
    tokens, sd = flat_predictor().bind(pool).estimate(FLAT)
    assert tokens[1] > 5 * tokens[0]
    assert sd[1] / tokens[1] > sd[0] / tokens[0]


def test_a_model_that_thinks_only_when_told_to_writes_as_others_do_less_surely() -> None:
    told = ModelProfile(id="anthropic/claude", name="claude", capabilities=frozenset({"reasoning"}))
    tokens, sd = flat_predictor().bind(Pool([entry(), PoolEntry(profile=told)])).estimate(FLAT)
    assert tokens[0] < tokens[1] < 1.5 * tokens[0]
    assert sd[1] / tokens[1] > sd[0] / tokens[0]


def test_what_was_measured_outweighs_what_the_profile_says_and_narrows_the_error() -> None:
    predictor = flat_predictor()
    unknown = entry()
    measured = entry("b", output_tokens_mean=50.0, measured=Measured(n_calls=10_000, output_tokens_mean=1000.0))
    tokens, sd = predictor.bind(Pool([unknown, measured])).estimate(FLAT)
    assert tokens[1] == pytest.approx(1000.0, rel=0.05)
    assert sd[1] / tokens[1] < sd[0] / tokens[0]


def test_five_measured_calls_move_half_the_way() -> None:
    mean = 100 * np.exp(0.6**2 / 2)
    few = entry("b", measured=Measured(n_calls=5, output_tokens_mean=4 * mean))
    bound = flat_predictor(model_sd=0.0).bind(Pool([few]))
    tokens, _ = bound.estimate(FLAT)
    assert tokens[0] == pytest.approx(2 * mean)  # half of a factor of four, in logarithms


def test_nobody_writes_beyond_a_limit() -> None:
    pool = Pool([entry(), entry("short", max_output_tokens=20)])
    both, sds = flat_predictor().bind(pool).estimate(np.stack([FLAT, FLAT]), max_output_tokens=[50, None])
    (held, short), (free, as_short) = both
    assert held < 50 < free
    assert short == pytest.approx(20, abs=0.2)
    assert as_short == pytest.approx(20, abs=0.2)
    assert (sds[:, 1] < 1.0).all()


def test_a_request_with_tools_lies_half_way_to_a_function_call() -> None:
    bound = flat_predictor(level=960.0).bind(Pool([entry()]))
    (plain, called), _ = bound.estimate(np.stack([FLAT, FLAT]), offers_tools=[False, True])
    assert called[0] / plain[0] == pytest.approx(0.25)  # sqrt(960 x 60) = 240


def test_the_capped_moments_are_those_of_the_capped_variable() -> None:
    generator = np.random.default_rng(1)
    mean, sd, cap = np.array([4.0, 5.0]), np.array([0.8, 0.5]), np.array([60.0, np.inf])
    drawn = np.minimum(np.exp(generator.normal(mean, sd, size=(400_000, 2))), cap)
    found_mean, found_sd = capped_moments(mean, sd**2, sd, cap)
    np.testing.assert_allclose(found_mean, drawn.mean(axis=0), rtol=0.01)
    np.testing.assert_allclose(found_sd, drawn.std(axis=0), rtol=0.02)


def test_a_saved_fit_predicts_the_same(tmp_path: Path) -> None:
    predictor = flat_predictor()
    predictor.save(tmp_path)
    again = LengthPredictor.load(tmp_path)
    assert again.feature_name_ == "flat"
    np.testing.assert_allclose(again.log_tokens(FLAT), predictor.log_tokens(FLAT))


def test_a_missing_damaged_or_foreign_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadArtefactError, match=r"length\.json"):
        LengthPredictor.load(tmp_path)
    (tmp_path / "length.json").write_text("{}")
    with pytest.raises(BadArtefactError, match="no length fit"):
        LengthPredictor.load(tmp_path)
    (tmp_path / "length.json").write_text(json.dumps({"format": 7}))
    with pytest.raises(BadArtefactError, match="format 7"):
        LengthPredictor.load(tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        {"mean": [float("nan")]},
        {"weight": [1.0, 2.0]},
        {"weight": "x"},
        {"level": 10**400},
        {"level": float("inf")},
        {"shares": [{"name": "a", "model": "b", "shift": 1.0, "n_calls": 0}]},
        {"shares": [{"name": "a", "model": "b", "shift": float("nan"), "n_calls": 1}]},
    ],
)
def test_a_fit_that_no_forecast_can_be_made_of_is_refused(tmp_path: Path, damage: dict[str, object]) -> None:
    fit = {"feature_name": "f", "level": 1.0, "noise_sd": 1.0, "model_sd": 1.0, "ridge": 1.0, "mean": [0.0]}
    (tmp_path / "length.json").write_text(json.dumps({"format": 1, "weight": [0.0], **fit}))
    assert LengthPredictor.load(tmp_path).level_ == 1.0
    (tmp_path / "length.json").write_text(json.dumps({"format": 1, "weight": [0.0], **fit, **damage}))
    with pytest.raises(BadArtefactError, match="no length fit can be read"):
        LengthPredictor.load(tmp_path)


def test_nothing_is_predicted_before_a_fit() -> None:
    with pytest.raises(NotFittedError):
        LengthPredictor().bind(Pool([entry()]))
    with pytest.raises(NotFittedError):
        LengthPredictor().log_tokens(FLAT)


def test_lengths_that_never_differed_are_still_cut_off_at_a_limit() -> None:
    predictor = flat_predictor(level=50.0, noise_sd=0.0, model_sd=0.0)
    bound = predictor.bind(Pool([entry(max_output_tokens=4_096), entry("short", max_output_tokens=20)]))
    tokens, sd = bound.estimate(FLAT)
    assert tokens == pytest.approx([50.0, 20.0], rel=0.02)
    assert np.isfinite(sd).all()
    told, _ = bound.estimate(FLAT[None], max_output_tokens=[10], thinking=[Thinking(effort="high")])
    assert told == pytest.approx(np.array([[10.0, 10.0]]), rel=0.02)
