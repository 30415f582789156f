import numpy as np
import pytest

from eval.contenders.costs import CostModel


def test_costs_that_are_a_models_rate_times_a_prompts_length_are_learned() -> None:
    rng = np.random.default_rng(1)
    log_length = rng.normal(size=(400, 1))
    cost = np.exp(log_length) * np.array([0.001, 0.02])  # (400, 2)
    model = CostModel(alpha=1e-6).fit(log_length, cost)
    assert model.predict(np.array([[0.0], [1.0]])) == pytest.approx(
        np.array([[0.001, 0.02], [0.001 * np.e, 0.02 * np.e]]), rel=1e-3
    )


def test_predicted_costs_add_up_to_what_was_paid() -> None:
    rng = np.random.default_rng(2)
    features, cost = rng.normal(size=(300, 3)), rng.lognormal(sigma=1.5, size=(300, 4))
    cost[:50, 2] = np.nan
    predicted = CostModel().fit(features, cost).predict(features)
    assert np.where(np.isnan(cost), 0, predicted).sum(axis=0) == pytest.approx(np.nansum(cost, axis=0))
