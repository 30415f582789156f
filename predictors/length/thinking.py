"""How much longer an answer gets when its model thinks first: by habit of the model, and by what a request asks for."""

import math
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Final

import numpy as np

from catalog import Floats, ModelProfile
from predictors.thinking import Effort, Thinking

from .capped import Caps

__all__ = ["Habit", "ThinkingLengths", "habit_of", "thinking_share", "untold_tokens"]

# In natural logarithms of tokens, over the same model told not to think: medians over benchmarks and hybrid models as
# Artificial Analysis publishes their tokens (low 80 pairs of 9 models, medium 100 of 11, high 60 of 7, xhigh and max 91
# of 11; thinking without a stated effort 554 of 61, from twice in agents' turns to 50 times in short answers); the
# figures themselves are not shipped. "minimal" writes a seventh of "medium": as good as off.
_OVER_PLAIN: Final[Mapping[Effort, float]] = {"low": 1.0, "medium": 1.7, "high": 2.5, "max": 3.2}
_USUAL: Final = _OVER_PLAIN["medium"]
_SD: Final = 1.0  # extra, within a benchmark
_PERHAPS_SD: Final = 0.6  # extra, of models that think only where the request asks for it, where it says nothing
# Makers whose models think only in requests that ask for it.
_THINK_WHEN_TOLD: Final = frozenset({"anthropic"})


class Habit(Enum):
    """Whether a model thinks."""

    NEVER = "never"
    UNLESS_TOLD = "unless told not to"
    WHEN_TOLD = "when told to"


def habit_of(profile: ModelProfile) -> Habit:
    """The habit of a model, from its profile."""
    if "reasoning" not in profile.capabilities:
        return Habit.NEVER
    return Habit.WHEN_TOLD if profile.owner in _THINK_WHEN_TOLD else Habit.UNLESS_TOLD


def thinking_share(habit: Habit, thinking: Thinking | None = None) -> tuple[float, float]:
    """How much more than one that does not think a model writes, in natural logarithms, and how unsure that is (sd).

    A budget is not looked at: it is in tokens, and bounds what this says.
    """
    if habit is Habit.NEVER or (thinking is not None and thinking.effort == "off"):
        return 0.0, 0.0
    if thinking is not None:
        return _OVER_PLAIN[thinking.effort], _SD
    return (_USUAL, _SD) if habit is Habit.UNLESS_TOLD else (0.0, _PERHAPS_SD)


def untold_tokens(profile: ModelProfile, thinking: Thinking | None, tokens: float) -> float:
    """What a model would have written, had the request said nothing of thinking, where it wrote so many tokens.

    So that calls of every kind tell of one length: what models write untold is what `ThinkingLengths` starts from.
    """
    if thinking is None:
        return tokens
    habit = habit_of(profile)
    return tokens * math.exp(thinking_share(habit)[0] - thinking_share(habit, thinking)[0])


class ThinkingLengths:
    """Lengths of one pool for requests that say whether to think; of those that say nothing, `BoundLength` knows."""

    def __init__(self, habits: Sequence[Habit], *, shift: Floats, sd: Floats, model_sd: float, noise_sd: float) -> None:
        """What a pool's candidates write untold.

        Args:
            habits: (n_candidates,).
            shift: (n_candidates,) over the average model, in natural logarithms of tokens.
            sd: (n_candidates,) how unsure the shift is; what was measured of a model narrows it.
            model_sd: how much models of one habit differ, in natural logarithms.
            noise_sd: what prompt and model leave unexplained, in natural logarithms.
        """
        self._never = np.array([habit is Habit.NEVER for habit in habits])
        self._when_told = np.array([habit is Habit.WHEN_TOLD for habit in habits])
        usual = np.array([thinking_share(habit) for habit in habits]).reshape(-1, 2)  # (n_candidates, 2)
        self._plain_shift = shift - usual[:, 0]
        of_model, noise = model_sd * model_sd, noise_sd * noise_sd
        plain = sd * sd * np.where(self._never, 1.0, of_model / (of_model + usual[:, 1] ** 2 + self._never))
        self._plain_variance = plain + noise
        self._variance = np.where(self._when_told, plain + _SD * _SD, sd * sd) + noise

    def told(
        self, asked: Thinking, *, prompt: float, cap: Floats, usual: Floats, usual_sd: Floats
    ) -> tuple[Floats, Floats]:
        """Expected tokens and their standard deviation, each (n_candidates,), of one request.

        Thinking adds at most its budget to the answer, and asking for it takes nothing away, nor does more effort.

        Args:
            asked: what the request says.
            prompt: its share of the logarithm.
            cap: (n_candidates,) where answers are cut off.
            usual: (n_candidates,) expected tokens, did it say nothing.
            usual_sd: (n_candidates,) their standard deviation.
        """
        plain, plain_sd = self._moments(prompt + self._plain_shift, self._plain_variance, cap)
        plain, plain_sd = np.minimum(plain, usual), np.minimum(plain_sd, usual_sd)
        if asked.effort == "off":
            return np.where(self._never, usual, plain), np.where(self._never, usual_sd, plain_sd)
        least, least_sd = np.where(self._when_told, usual, plain), np.where(self._when_told, usual_sd, plain_sd)
        thought, thought_sd = self._moments(prompt + self._plain_shift + _OVER_PLAIN[asked.effort], self._variance, cap)
        more = np.maximum(thought - least, 0.0)
        held = more if asked.budget_tokens is None else np.minimum(more, float(asked.budget_tokens))
        share = np.divide(held, more, out=np.zeros_like(more), where=more > 0)
        tokens, sd = least + held, least_sd + share * (thought_sd - least_sd)
        return np.where(self._never, usual, tokens), np.where(self._never, usual_sd, sd)

    def _moments(self, mean: Floats, variance: Floats, cap: Floats) -> tuple[Floats, Floats]:
        return Caps(cap, np.sqrt(variance)).moments(mean, variance)
