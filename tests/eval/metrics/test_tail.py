import numpy as np
import pytest

from eval.metrics import combined_log_risk, conditional_value_at_risk
from eval.metrics.tail import value_at_risk


def test_log_risk_adds_up_over_independent_dimensions() -> None:
    harm = np.array([[0.1, 0.2, 0.0, 0.05]])
    risk = combined_log_risk(harm)
    assert risk[0] == pytest.approx(0.379797, abs=1e-6)
    assert 1 - np.exp(-risk[0]) == pytest.approx(0.316)  # the union of failures


def test_certain_harm_is_clipped_to_what_a_judge_can_resolve() -> None:
    assert combined_log_risk(np.array([[1.0]]))[0] == pytest.approx(-np.log(1e-6))


def test_the_tail_of_losses_one_to_a_hundred() -> None:
    losses = np.arange(1.0, 101)
    assert value_at_risk(losses) == pytest.approx(95.05)
    assert conditional_value_at_risk(losses) == 98


def test_the_tail_of_901_prompts_is_the_worst_46() -> None:
    losses = np.arange(901.0)
    assert conditional_value_at_risk(losses) == np.arange(855, 901).mean()
