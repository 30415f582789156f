import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog import InvalidMeasurementError
from catalog.capability.swiss_round import Mode, expected_wins, round_scores, swiss_round

LADDER = np.array([[4.0], [3.0], [2.0], [1.0]])  # A > B > C > D in every round
SPECIALIST = np.array([[9.0, 1, 9], [5, 5, 5], [1, 9, 1], [4, 4, 4]])


def wins(scores: np.ndarray, *, dropped: int = 0, mode: Mode = "reference", simulations: int = 20_000) -> np.ndarray:
    return expected_wins(scores, rng=np.random.default_rng(7), dropped=dropped, simulations=simulations, mode=mode)


@pytest.mark.parametrize(
    ("rounds", "expected"), [(1, (1, 2 / 3, 1 / 3, 0)), (2, (2, 1, 1, 0)), (3, (2, 2, 1, 0)), (4, (3, 2, 1, 0))]
)
def test_four_models_in_strict_order_play_as_computed_by_hand(rounds: int, expected: tuple[float, ...]) -> None:
    np.testing.assert_allclose(wins(np.repeat(LADDER, rounds, axis=1)), expected, atol=0.015 if rounds == 1 else 0)


def test_in_the_reference_the_winner_stalls_alone_in_its_group() -> None:
    np.testing.assert_allclose(wins(LADDER, dropped=1), (1, 2 / 3, 1 / 3, 0), atol=0.015)
    assert wins(np.repeat(LADDER, 2, axis=1), dropped=1)[0] == 2.0
    assert wins(np.repeat(LADDER, 4, axis=1), dropped=1)[0] == 2.0


def test_specialists_in_the_reference_mode() -> None:
    np.testing.assert_allclose(wins(SPECIALIST, simulations=50_000), (2.0, 1.333, 1.0, 0.667), atol=0.012)
    np.testing.assert_allclose(wins(SPECIALIST, dropped=1, simulations=50_000), (1.0, 1.34, 0.0, 0.66), atol=0.015)


def test_in_the_fixed_mode_nobody_stalls() -> None:
    """Three rounds of four: A always meets somebody, and beats whoever it meets."""
    assert wins(np.repeat(LADDER, 3, axis=1), mode="fixed")[0] == 3.0


def test_in_the_fixed_mode_a_tie_is_half_a_win_for_both_and_a_bye_a_whole_one() -> None:
    np.testing.assert_array_equal(wins(np.ones((2, 3)), mode="fixed"), (1.5, 1.5))
    np.testing.assert_array_equal(wins(np.ones((1, 5)), mode="fixed"), (0.0,))  # nobody to play against
    assert wins(np.ones((3, 1)), mode="fixed").sum() == 2.0  # one game and one bye


def test_only_the_order_within_a_round_counts() -> None:
    stretched = np.exp(SPECIALIST)
    for mode in ("reference", "fixed"):
        np.testing.assert_array_equal(wins(SPECIALIST, mode=mode), wins(stretched, mode=mode))


def test_the_same_seed_gives_the_same_wins() -> None:
    np.testing.assert_array_equal(wins(SPECIALIST, mode="fixed"), wins(SPECIALIST, mode="fixed"))


@settings(max_examples=25)
@given(st.integers(2, 9), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_in_the_fixed_mode_every_round_of_everybody_gives_out_the_same_points(n: int, rounds: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = expected_wins(rng.integers(0, 4, (n, rounds)).astype(float), rng=rng, simulations=50)
    assert points.sum() == pytest.approx(rounds * ((n + 1) // 2))
    assert points.max() <= rounds


def test_a_specialist_is_more_sensitive_to_failure_than_a_generalist() -> None:
    generalist, specialist = [8.0] * 5, [9.0, 9.0, 0.0, 9.0, 9.0]
    rest = [[float(k)] * 5 for k in range(1, 7)]
    standing = swiss_round(np.array([generalist, specialist, *rest]), rng=np.random.default_rng(1), simulations=5_000)
    assert standing.score.shape == (8,)
    assert standing.failure_sensitivity[0] > standing.failure_sensitivity[1]


def test_rounds_average_their_benchmarks_and_gaps_are_refused() -> None:
    scores = np.array([[0.2, 0.4, 1.0], [0.6, 0.0, np.nan]])
    np.testing.assert_allclose(round_scores(scores, [[0, 1], [0]]), [[0.3, 0.2], [0.3, 0.6]])
    with pytest.raises(InvalidMeasurementError, match="gaps"):
        round_scores(scores, [[2]])
    with pytest.raises(InvalidMeasurementError, match="each round a benchmark"):
        round_scores(scores, [[]])
