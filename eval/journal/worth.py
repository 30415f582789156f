"""What policies are worth on logged choices, with intervals that hold where few choices tell.

A logged reward tells of a policy where the log made that policy's choice. What a policy is worth is the reward model's
value of its choices, corrected by how far that model was off wherever the log tells: self-normalised and doubly robust,
apart for choices that the log mostly made and for those that it made now and then, in order to explore. A correction is
a mean of bounded values, of which `bounded_mean` says how far off it may be however few they are; a bootstrap over
prompts of the corrected values says what another sample of requests would have given. Both are independent of one
another and are put together as such.

Choices that the log could not have made are nobody's evidence: they are to be left out before, and told.

Source: Dudik et al., ICML 2011 (doubly robust); Swaminathan and Joachims, NeurIPS 2015 (self-normalised); Zou and
Donner, Construction of Confidence Intervals about Effect Measures, Statistics in Medicine 27(10), 2008 (sums of
independent estimates, each with its own interval).
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from math import hypot
from typing import Self

import numpy as np
import numpy.typing as npt

from catalog import Floats
from eval.intervals import GroupBootstrap, Interval
from eval.outcomes.table import Bools, Ints

from .bounded_mean import BoundedMean, bounded_mean

__all__ = ["Log", "Target", "Worth", "worth_more", "worth_more_than_log", "worth_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What was logged; arrays are (n,)."""

    reward: Floats  # of the choice that was made, in [0, 1]
    prompt: npt.NDArray[np.str_]  # equal ones are not independent

    def take(self, rows: Ints) -> Self:
        """Some of the decisions."""
        return replace(self, reward=self.reward[rows], prompt=self.prompt[rows])


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a policy would choose in each logged decision; arrays are (n,)."""

    modelled: Floats  # the reward model's value of its choice, in [0, 1]; fitted on other rewards than these
    propensity: Floats  # with which the log makes this choice, in (0, 1]; NaN where only its own choice's is known
    told: Bools  # whether it did
    refused: Bools  # where it chooses nobody, which is worth `modelled` for certain

    def take(self, rows: Ints) -> Self:
        """Some of the decisions."""
        return replace(self, **{field.name: getattr(self, field.name)[rows] for field in fields(self)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """A mean reward, or a difference of two, with its interval of 95 %."""

    mean: float
    interval: Interval
    explored: int  # prompts that tell of choices which the log made only to explore


def worth_of(target: Target, log: Log, bootstrap: GroupBootstrap) -> Worth:
    """The mean reward of a policy."""
    everywhere = np.ones(len(log.reward), dtype=np.bool_)
    return _corrected(target.modelled, [(c, c.rows, 1) for c in _corrections(target, log, everywhere)], bootstrap)


def worth_more_than_log(target: Target, log: Log, bootstrap: GroupBootstrap) -> Worth:
    """The mean reward of a policy minus that of the choices that were logged, where they are others than its own."""
    everywhere = np.ones(len(log.reward), dtype=np.bool_)
    base = np.where(target.told, 0.0, target.modelled - log.reward)
    return _corrected(base, [(c, c.rows & ~target.told, 1) for c in _corrections(target, log, everywhere)], bootstrap)


def worth_more(new: Target, old: Target, changed: Bools, log: Log, bootstrap: GroupBootstrap) -> Worth:
    """The mean reward of a policy minus another's; `changed`, (n,), is where they choose differently."""
    base = np.where(changed, new.modelled - old.modelled, 0.0)
    parts = [(c, c.rows, sign) for side, sign in ((new, 1), (old, -1)) for c in _corrections(side, log, changed)]
    return _corrected(base, parts, bootstrap)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Correction:
    """How far the reward model is off, on average, over some decisions."""

    rows: Bools  # (n,)
    off: BoundedMean
    explored: int  # prompts whose choice was made only to explore, among those that tell


def _corrections(target: Target, log: Log, among: Bools) -> Iterator[_Correction]:
    """One for the choices that the log mostly made, one for the others; one for all where it does not tell which."""
    among = among & ~target.refused
    mostly = target.propensity >= 0.5
    strata = [among] if np.isnan(target.propensity[among]).any() else [among & mostly, among & ~mostly]
    for rows in strata:
        if not rows.any():
            continue
        seen = np.flatnonzero(rows & target.told)
        weight = 1 / target.propensity[seen]  # (n_seen,)
        prompts, prompt_of = np.unique(log.prompt[seen], return_inverse=True)
        of_prompt = np.bincount(prompt_of, weights=weight, minlength=len(prompts)).astype(np.float64)
        error = weight * (log.reward[seen] - target.modelled[seen])
        level = float(target.modelled[rows].mean())  # rewards lie in [0, 1], so errors about it in [-level, 1 - level]
        off = bounded_mean(
            np.bincount(prompt_of, weights=error, minlength=len(prompts)) / of_prompt,
            of_prompt,
            lower=-level,
            upper=1 - level,
        )
        yield _Correction(rows=rows, off=off, explored=len(np.unique(log.prompt[seen][~mostly[seen]])))


def _corrected(base: Floats, parts: list[tuple[_Correction, Bools, int]], bootstrap: GroupBootstrap) -> Worth:
    """The mean of `base` and of every correction where it holds, added (1) or taken away (-1)."""
    values, below, above = base.copy(), 0.0, 0.0
    for correction, rows, sign in parts:
        off, share = correction.off, float(rows.mean())
        values[rows] += sign * off.mean
        ends = (off.mean - off.interval.lower, off.interval.upper - off.mean)
        down, up = ends if sign > 0 else ends[::-1]
        below, above = hypot(below, share * down), hypot(above, share * up)
    mean = float(values.mean())
    drawn = bootstrap.of_difference(values, np.zeros_like(values))
    return Worth(
        mean=mean,
        interval=Interval(
            lower=mean - hypot(below, max(0.0, mean - drawn.lower)),
            upper=mean + hypot(above, max(0.0, drawn.upper - mean)),
        ),
        explored=sum(correction.explored for correction, _, _ in parts),
    )
