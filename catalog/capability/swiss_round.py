"""Rank models over benchmarks of different scales by letting them play a Swiss tournament many times over.

In each round models with equally many wins are paired at random, and the better score on the round's benchmarks wins.
Only the order of scores counts within a round, so no two scales are ever added up. Dropping the last T models after
each round shows who depends on a few strong rounds.

Two modes. "reference" plays as the authors' code does: whoever is left over in an odd group sits out and gets nothing
(a dominating model can stall), ties go to the second of a pair, and elimination ties fall by the order of the list.
"fixed" mends all three: the leftover is paired down into the next group, the last without an opponent gets a bye worth
a win, a tie is half a win for both, and elimination ties fall at random. Both draw from the generator they are given.

Source: LLM Swiss Round, arXiv 2512.21010, by its reference code; the defects and their repair are ours to answer for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from catalog.errors import InvalidMeasurementError
from catalog.pools.pool import Floats

__all__ = ["Mode", "SwissRound", "expected_wins", "round_scores", "swiss_round"]

Mode = Literal["reference", "fixed"]
_CHUNK = 20_000  # simulations in memory at once


@dataclass(frozen=True, slots=True, kw_only=True)
class SwissRound:
    """Where each model stands, arrays of shape (n_models,)."""

    score: Floats  # expected wins, nobody dropped
    score_when_dropping: Floats  # expected wins where the last are dropped after each round
    dropped: int

    @property
    def failure_sensitivity(self) -> Floats:
        """What dropping costs each model in wins, 0 or less for most: near 0 a generalist, far below a specialist."""
        return self.score_when_dropping - self.score


def round_scores(scores: Floats, rounds: Sequence[Sequence[int]]) -> Floats:
    """Mean score per round, shape (n_models, n_rounds).

    Args:
        scores: (n_models, n_benchmarks); every model needs every benchmark that a round uses.
        rounds: the columns of each round.

    Raises:
        InvalidMeasurementError: a round is empty or a score is missing.
    """
    if not rounds or not all(len(columns) for columns in rounds):
        raise InvalidMeasurementError("a tournament needs rounds, and each round a benchmark")
    means = np.stack([scores[:, list(columns)].mean(axis=1) for columns in rounds], axis=1)  # (n_models, n_rounds)
    _check(means)
    return means


def swiss_round(
    scores: Floats, *, rng: np.random.Generator, dropped: int = 2, simulations: int = 100_000, mode: Mode = "fixed"
) -> SwissRound:
    """Expected wins of each model without and with elimination.

    Args:
        scores: (n_models, n_rounds), see `round_scores`.
        rng: decides every pairing.
        dropped: how many are dropped after each round in the second tournament.
        simulations: tournaments played.
        mode: see the module.
    """
    return SwissRound(
        score=expected_wins(scores, rng=rng, simulations=simulations, mode=mode),
        score_when_dropping=expected_wins(scores, rng=rng, dropped=dropped, simulations=simulations, mode=mode),
        dropped=dropped,
    )


def expected_wins(
    scores: Floats, *, rng: np.random.Generator, dropped: int = 0, simulations: int = 100_000, mode: Mode = "fixed"
) -> Floats:
    """Mean wins of each model over the simulations, shape (n_models,)."""
    _check(scores)
    if dropped < 0 or simulations <= 0:
        raise InvalidMeasurementError("dropped must not be negative and simulations must be positive")
    total = np.zeros(len(scores))
    for start in range(0, simulations, _CHUNK):
        size = min(_CHUNK, simulations - start)
        total += _play(scores, size, dropped=dropped, rng=rng, mode=mode).sum(axis=0)
    return total / simulations


def _check(scores: Floats) -> None:
    if scores.ndim != 2 or not scores.size or not np.isfinite(scores).all():
        raise InvalidMeasurementError(
            "scores must be one finite number per model and round; leave out models or benchmarks with gaps"
        )


def _play(scores: Floats, simulations: int, *, dropped: int, rng: np.random.Generator, mode: Mode) -> Floats:
    """Wins of each model in each simulation, (simulations, n_models)."""
    n_models, n_rounds = scores.shape
    half_wins = np.zeros((simulations, n_models), dtype=np.int32)  # whole numbers, so that groups are exact
    active = np.ones((simulations, n_models), dtype=bool)
    left = n_models
    for k in range(n_rounds):
        if left <= 1:
            break
        half_wins += _round(scores[:, k], half_wins, active, left, rng=rng, mode=mode)
        if dropped:
            _drop(half_wins, active, min(dropped, left), rng=rng, mode=mode)
            left -= min(dropped, left)
    return half_wins / 2.0


def _round(
    score: Floats,
    half_wins: npt.NDArray[np.int32],
    active: npt.NDArray[np.bool_],
    left: int,
    *,
    rng: np.random.Generator,
    mode: Mode,
) -> npt.NDArray[np.int32]:
    """Half wins that this round brings, (simulations, n_models)."""
    shuffled = -half_wins + rng.random(half_wins.shape, dtype=np.float32) * 0.99  # most wins first
    order = np.argsort(np.where(active, shuffled, np.inf), axis=1)[:, :left]  # (simulations, left)
    rows, place = np.arange(len(order))[:, None], np.arange(left)
    if mode == "fixed":
        first = np.broadcast_to((place % 2 == 0) & (place + 1 < left), order.shape)
    else:
        standing = half_wins[rows, order]
        opens = np.ones_like(order, dtype=bool)
        opens[:, 1:] = standing[:, 1:] != standing[:, :-1]
        within = place - np.maximum.accumulate(np.where(opens, place, 0), axis=1)
        has_next = np.zeros_like(opens)
        has_next[:, :-1] = ~opens[:, 1:]
        first = (within % 2 == 0) & has_next
    at, seat = np.nonzero(first)
    one, two = order[at, seat], order[at, seat + 1]
    gained = np.zeros_like(half_wins)
    if mode == "fixed":
        gained[at, one] += 1 + np.sign(score[one] - score[two]).astype(np.int32)
        gained[at, two] += 1 + np.sign(score[two] - score[one]).astype(np.int32)
        if left % 2:
            gained[rows[:, 0], order[:, -1]] += 2
    else:
        gained[at, np.where(score[one] > score[two], one, two)] += 2
    return gained


def _drop(
    half_wins: npt.NDArray[np.int32],
    active: npt.NDArray[np.bool_],
    dropped: int,
    *,
    rng: np.random.Generator,
    mode: Mode,
) -> None:
    """Take the last out of the tournament, in place."""
    standing = np.where(active, half_wins, np.inf)
    if mode == "fixed":
        standing = standing + rng.random(half_wins.shape) * 0.99
    last = np.argsort(standing, axis=1, kind="stable")[:, :dropped]
    active[np.arange(len(active))[:, None], last] = False
