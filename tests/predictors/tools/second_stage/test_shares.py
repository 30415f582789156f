import numpy as np
import pytest

from predictors.tools.second_stage.shares import believed, nearness_to_the_best


def opinions(n_queries: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Two opinions that err apart, one that knows nothing, and which of four candidates each request needs."""
    rng = np.random.default_rng(5)
    truth = rng.normal(size=(n_queries, 4))
    one, two = (truth + 0.7 * rng.normal(size=truth.shape) for _ in range(2))
    return one, two, rng.normal(size=truth.shape), truth == truth.max(axis=1, keepdims=True)


def test_two_opinions_that_err_apart_are_both_believed_and_noise_is_not() -> None:
    one, two, noise, relevant = opinions(4_000)
    of_one, of_two, of_noise = believed((one, two, noise), relevant, np.ones_like(relevant), begun=(1.0, 0.0, 0.0))
    assert of_one == pytest.approx(of_two, rel=0.15)
    assert of_noise < 0.1 * of_one


def test_no_opinion_counts_less_than_nothing() -> None:
    one, two, _, relevant = opinions(500)
    shares = believed((one, -two), relevant, np.ones_like(relevant), begun=(0.5, 0.5))
    assert shares[0] > 0.5
    assert shares[1] == 0.0


def test_opinions_count_as_begun_where_none_is_of_use() -> None:
    one, two, _, relevant = opinions(500)
    assert believed((-one, -two), relevant, np.ones_like(relevant), begun=(0.5, 0.5)) == [0.5, 0.5]


def test_few_requests_leave_opinions_near_what_they_began_with() -> None:
    one, two, _, relevant = opinions(3)
    shares = believed((one, two), relevant, np.ones_like(relevant), begun=(0.5, 0.5))
    assert shares == pytest.approx([0.5, 0.5], abs=0.2)


def test_last_bits_of_opinions_hardly_move_how_much_they_count() -> None:
    """Two that are alike in quality, where a choice of the better one turns on a single request."""
    one, two, _, relevant = opinions(300)
    known = np.ones_like(relevant)
    shares = believed((one, two), relevant, known, begun=(0.5, 0.5))
    for seed in range(5):
        last_bits = 1e-4 * np.random.default_rng(seed).normal(size=one.shape)
        moved = believed((one + last_bits, two - last_bits), relevant, known, begun=(0.5, 0.5))
        assert moved == pytest.approx(shares, abs=1e-3)


def test_a_missing_label_that_says_nothing_does_not_count_against_an_opinion() -> None:
    one, two, _, relevant = opinions(500)
    known = relevant | (one < 1.0)  # where the first is sure and not confirmed, nobody looked
    blind = believed((one, two), relevant, np.ones_like(relevant), begun=(0.5, 0.5))
    told = believed((one, two), relevant, known, begun=(0.5, 0.5))
    assert told[0] > blind[0]


def below(best: np.ndarray, *, by_standard_errors: float) -> np.ndarray:
    """Quality that is so much worse on average, by differences that spread by 0.1 over requests."""
    spread = np.tile([0.1, -0.1], len(best) // 2)  # (n_queries,)
    return best - by_standard_errors * 0.1 / np.sqrt(len(best)) - spread


def test_of_options_that_are_level_none_is_preferred_and_two_standard_errors_less_hardly_counts() -> None:
    best = np.full(400, 0.8)
    counts = nearness_to_the_best([best, best, below(best, by_standard_errors=2.0)])
    assert counts == pytest.approx(np.array([1.0, 1.0, np.exp(-2.0)]) / (2.0 + np.exp(-2.0)))


def test_the_best_option_alone_counts_where_the_others_are_worse_on_every_request() -> None:
    best = np.full(400, 0.8)
    assert nearness_to_the_best([best - 0.1, best, best - 0.01]).tolist() == [0.0, 1.0, 0.0]


def test_which_of_two_level_options_is_the_better_by_a_last_bit_does_not_matter() -> None:
    best = np.full(400, 0.8)
    ahead, behind = (below(best, by_standard_errors=errors) for errors in (-1e-6, 1e-6))
    assert nearness_to_the_best([best, ahead]) == pytest.approx(nearness_to_the_best([best, behind]), abs=1e-6)
