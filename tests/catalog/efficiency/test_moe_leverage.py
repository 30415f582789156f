import pytest

from catalog import InvalidProfileError
from catalog.efficiency.moe_leverage import best_granularity, efficiency_leverage, granularity


@pytest.mark.parametrize(
    ("activation", "fineness", "flops", "expected"),
    [
        (0.031, 12, 1e22, 7.2449),
        (0.034, 12, 1e22, 6.9614),
        (0.031, 2, 1e22, 5.2667),
        (0.031, 12, 1e20, 4.5535),
        (0.031, 2, 1e20, 3.3102),
    ],
)
def test_leverage_at_the_published_points(activation: float, fineness: float, flops: float, expected: float) -> None:
    told = efficiency_leverage(activation=activation, granularity=fineness, training_flops=flops)
    assert told == pytest.approx(expected, abs=1e-4)


def test_a_mixture_that_activates_everything_is_worth_about_a_dense_model() -> None:
    assert efficiency_leverage(activation=1.0, granularity=12, training_flops=1e22) == pytest.approx(0.9896, abs=5e-5)


def test_the_best_granularity_lies_between_eight_and_twelve() -> None:
    assert best_granularity() == pytest.approx(11.3, abs=0.05)


def test_ling_mini_is_cut_about_eleven_fold() -> None:
    assert granularity(hidden_size=2048, expert_size=384) == pytest.approx(10.67, abs=0.01)


def test_no_active_expert_is_refused() -> None:
    with pytest.raises(InvalidProfileError, match="activation"):
        efficiency_leverage(activation=0.0, granularity=12, training_flops=1e22)
