"""Does a model prefer a position or a yes, whatever is asked? Probes over any function that answers.

Position: the same question is asked with its options in every rotation; an unbiased model's choice moves with the
option. Yes: each statement is asked together with its negation; an unbiased model says yes to one of the two.

Source of the findings: option A is favoured by small models, arXiv 2306.07951; the share of yes to one question ranges
from 32 % to 99 % over versions of a model, arXiv 2501.16356.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from catalog.errors import InvalidMeasurementError
from catalog.pools.pool import Floats

__all__ = ["PositionBias", "YesBias", "position_bias", "yes_bias"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionBias:
    """How often each position was chosen over all rotations, and what that says."""

    share: Floats  # (n_options,)
    consistency: float  # share of questions on which every rotation led to the same option
    n_answers: int

    @property
    def bias(self) -> float:
        """Total variation from choosing all positions equally: 0 none, (n - 1) / n always the same one."""
        return float(np.abs(self.share - 1.0 / len(self.share)).sum() / 2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class YesBias:
    """What was said to statements and their negations."""

    yes_share: float  # of all answers; 0.5 without bias
    contradictions: float  # share of pairs answered alike
    n_pairs: int

    @property
    def bias(self) -> float:
        """From -0.5, always no, to 0.5, always yes."""
        return self.yes_share - 0.5


def position_bias(
    choose: Callable[[str, Sequence[str]], int | None], questions: Sequence[tuple[str, Sequence[str]]]
) -> PositionBias:
    """Ask every question in every rotation of its options.

    Args:
        choose: the position chosen, from 0; None where the answer was no option, which counts for no position.
        questions: each with its options, all with equally many.

    Raises:
        InvalidMeasurementError: the questions differ in their number of options, or nothing was answered.
    """
    sizes = {len(options) for _, options in questions}
    if len(sizes) != 1 or (n := sizes.pop()) < 2:
        raise InvalidMeasurementError("questions need two options or more, and all equally many")
    chosen = np.zeros(n)
    same = 0
    for question, options in questions:
        picks: set[int | None] = set()
        for shift in range(n):
            at = choose(question, [options[(k + shift) % n] for k in range(n)])
            if at is not None and not 0 <= at < n:
                raise InvalidMeasurementError(f"there is no option at position {at}")
            if at is not None:
                chosen[at] += 1
            picks.add(None if at is None else (at + shift) % n)
        same += len(picks) == 1 and None not in picks
    if not chosen.any():
        raise InvalidMeasurementError("no question was answered with one of its options")
    return PositionBias(share=chosen / chosen.sum(), consistency=same / len(questions), n_answers=int(chosen.sum()))


def yes_bias(says_yes: Callable[[str], bool | None], pairs: Sequence[tuple[str, str]]) -> YesBias:
    """Ask every statement and its negation.

    Args:
        says_yes: the answer; None where it was neither yes nor no, and then the pair counts for nothing.
        pairs: a statement, and one that is true exactly where the first is false.

    Raises:
        InvalidMeasurementError: no pair was answered.
    """
    told = [(says_yes(one), says_yes(other)) for one, other in pairs]
    answered = [(one, other) for one, other in told if one is not None and other is not None]
    if not answered:
        raise InvalidMeasurementError("no pair of statements was answered with yes or no")
    return YesBias(
        yes_share=sum(one + other for one, other in answered) / (2 * len(answered)),
        contradictions=sum(one == other for one, other in answered) / len(answered),
        n_pairs=len(answered),
    )
