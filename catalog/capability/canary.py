"""Is a backend still the model it claims to be? Ask it what only that model answers so.

Canaries are prompts on which the claimed model's short greedy answer differs from that of every sibling. They are
asked again on a schedule; the number of answers that differ from the recorded ones is held against a binomial law
whose chance is the model's own inconsistency. It finds swapped models, harder quantization and silent updates. It
proves nothing against a provider who knows the canaries.

Source: our adaptation of QuRD, arXiv 2412.13021, AAAI 2025: queries that tell the model from others, hard labels,
Hamming distance.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from catalog.errors import InvalidMeasurementError

__all__ = ["Canary", "CanaryVerdict", "check_canaries", "mismatches_to_reject", "select_canaries", "upper_tail"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """A prompt and the answer by which the model is known."""

    prompt: str
    answer: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryVerdict:
    """What asking again found."""

    n: int
    mismatches: int
    p_value: float  # chance of so many or more if it is the same model
    rejected: bool
    significance: float


def select_canaries(
    prompts: Sequence[str], claimed: Sequence[str], siblings: Sequence[Sequence[str]], *, most: int = 30
) -> tuple[Canary, ...]:
    """The first prompts on which the claimed model answers like none of its siblings.

    Args:
        prompts: what was asked.
        claimed: its answers, one per prompt; an empty answer identifies nobody.
        siblings: the answers of each other model that the backend could be instead.
        most: how many to keep.

    Raises:
        InvalidMeasurementError: somebody did not answer every prompt, or there is nobody to be told from.
    """
    if not siblings:
        raise InvalidMeasurementError("canaries tell a model from others; give the answers of at least one other")
    if any(len(answers) != len(prompts) for answers in (claimed, *siblings)):
        raise InvalidMeasurementError("every model must have answered every prompt")
    found: list[Canary] = []
    for prompt, answer, *others in zip(prompts, claimed, *siblings, strict=True):
        if _plain(answer) and _plain(answer) not in {_plain(other) for other in others}:
            found.append(Canary(prompt=prompt, answer=answer))
    return tuple(found[:most])


def check_canaries(
    canaries: Sequence[Canary],
    answers: Sequence[str | None],
    *,
    self_mismatch: float = 0.05,
    significance: float = 0.02,
) -> CanaryVerdict:
    """Hold the answers of today against the recorded ones.

    Args:
        canaries: prompts with their recorded answers.
        answers: today's, in the same order; None for a call that failed, which counts for nothing.
        self_mismatch: how often the true model differs from itself, measured by asking it twice.
        significance: a verdict falsely rejects the true model at most this often.

    Raises:
        InvalidMeasurementError: no canary was answered, or the two differ in length.
    """
    if len(canaries) != len(answers):
        raise InvalidMeasurementError(f"{len(answers)} answers to {len(canaries)} canaries")
    asked = [(c.answer, a) for c, a in zip(canaries, answers, strict=True) if a is not None]
    if not asked:
        raise InvalidMeasurementError("no canary was answered; the backend cannot be judged")
    mismatches = sum(_plain(was) != _plain(now) for was, now in asked)
    return CanaryVerdict(
        n=len(asked),
        mismatches=mismatches,
        p_value=upper_tail(mismatches, n=len(asked), chance=self_mismatch),
        rejected=mismatches >= mismatches_to_reject(len(asked), chance=self_mismatch, significance=significance),
        significance=significance,
    )


def upper_tail(at_least: int, *, n: int, chance: float) -> float:
    """P(X >= at_least) for X binomial (n, chance)."""
    if not 0 <= chance <= 1 or n < 0:
        raise InvalidMeasurementError(f"a binomial law needs n >= 0 and a chance in [0, 1], not {n} and {chance}")
    terms = (math.comb(n, k) * chance**k * (1 - chance) ** (n - k) for k in range(max(at_least, 0), n + 1))
    return min(1.0, math.fsum(terms))


def mismatches_to_reject(n: int, *, chance: float, significance: float) -> int:
    """The fewest mismatches that the true model reaches with at most this probability; n + 1 where none is so rare."""
    return next((m for m in range(n + 1) if upper_tail(m, n=n, chance=chance) <= significance), n + 1)


def _plain(answer: str) -> str:
    """An answer without what sampling changes by chance: case, spacing and final punctuation."""
    return " ".join(answer.casefold().split()).rstrip(".!")
