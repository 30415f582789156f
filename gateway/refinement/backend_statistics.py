"""What the journal says about one backend, as sufficient statistics that add up over replicas."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from catalog import Measured, ModelProfile
from predictors import Thinking, untold_tokens
from predictors.cost import stated_token_ratio

from .sketch import DecayedLine, DecayedSketch, Spread, with_cut_off

__all__ = ["BackendStatistics", "CallFacts", "HalfLives"]

_PRIOR_CALLS = 8.0  # how many calls of ours weigh as much as what the profile states
_TOO_FEW = 3.0  # calls, where the profile states nothing
_PRIOR_ERRORS, _PRIOR_TRIES = 0.2, 10.0  # one in fifty, held lightly


# What is believed of a tokenizer before any call: its ratio to our estimate, and how many tokens it adds to a prompt.
_RATIO_SD = 0.3  # around what the profile states, else around 1
_ADDED_SD = 50.0  # around none: chat templates add up to some dozens, preambles for tools hundreds
_ESTIMATE_SD = 0.1  # of our estimate of one prompt's tokens, relative
_MOST_RATIO, _MOST_ADDED, _LEAST_RATIO = 3.0, 500.0, 0.2  # beyond, an image or a file was taken for something else

_SEEN_INSIDE = 0.912  # the standard deviation of a standard normal variable whose ends of 5 % count as the last inside
_MOST_NAMES = 16
_CLOCKS_DIFFER_S = 60.0  # so much is no fault
_BIN = 0.012  # of a value: how far it may lie from the middle of its bin, as a standard deviation
_STATUSES = frozenset({"ok", "failed"})
_SKETCHES = ("output_tokens", "cut_off_tokens", "ttft_s", "seconds_per_token", "ok", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfLives:
    """After how long an observation counts half."""

    latency_s: float = 3600.0  # speed and errors change by the hour
    length_s: float = 7 * 86_400.0  # how long answers get does not


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFacts:
    """What one call to a backend showed; None where it showed nothing."""

    at_s: float  # seconds since the epoch
    status: Literal["ok", "failed"]
    output_tokens: float | None = None
    length_ratio: float = 1.0  # of answers to its prompt to those to the average one, as was forecast
    cut_off: bool = False  # at the caller's limit: the answer would have been longer
    input_tokens: float | None = None  # by the provider's count
    estimated_tokens: float | None = None  # of the same prompt, by ours
    ttft_s: float | None = None
    latency_s: float | None = None
    thinking: Thinking | None = None  # what the request said of it
    answered_as: str | None = None  # the model's name, as the answer has it


@dataclass(slots=True)
class BackendStatistics:
    """Counts of one backend's calls."""

    half_lives: HalfLives = field(default_factory=HalfLives)
    n_calls: int = 0
    last_s: float | None = None  # when the last call was made, seconds since the epoch
    answered_as: list[str] = field(default_factory=list)  # names of models in answers, the first seen first
    sketches: dict[str, DecayedSketch] = field(init=False)
    whole_call: DecayedLine = field(init=False)  # latency over output tokens, of calls whose first token was not seen
    input_ratio: DecayedLine = field(init=False)  # the provider's count / our estimate, over 1 / our estimate

    def __post_init__(self) -> None:
        lengths = {"output_tokens", "cut_off_tokens"}
        self.sketches = {
            name: DecayedSketch(self.half_lives.length_s if name in lengths else self.half_lives.latency_s)
            for name in _SKETCHES
        }
        self.whole_call = DecayedLine(self.half_lives.latency_s)
        self.input_ratio = DecayedLine(self.half_lives.length_s)

    def add(self, call: CallFacts, *, profile: ModelProfile | None = None) -> None:
        """Count one call.

        Of its length, what would have been written to the average prompt: forecasts add the prompt's own share again.
        Of one that was told whether to think, what it had written untold, by the model's habit.
        """
        self.n_calls += 1
        self.last_s = call.at_s if self.last_s is None else max(self.last_s, call.at_s)
        self.sketches[call.status].add(1.0, at_s=call.at_s)
        if call.status == "failed":
            return
        self._note_name(call)
        length, written = "cut_off_tokens" if call.cut_off else "output_tokens", call.output_tokens
        if written is not None and profile is not None:
            written = untold_tokens(profile, call.thinking, written)
        if written is not None:
            self.sketches[length].add(written / call.length_ratio, at_s=call.at_s)
        if call.input_tokens and call.estimated_tokens:
            inverse, ratio = 1 / call.estimated_tokens, call.input_tokens / call.estimated_tokens
            plausible = min(max(ratio, _LEAST_RATIO), _MOST_RATIO + _MOST_ADDED * inverse)
            self.input_ratio.add(inverse, plausible, at_s=call.at_s)
        self._add_times(call)

    def is_of_another_model(self, *, at_s: float) -> None:
        """From now on: what the one before showed weighs no more than a profile does. Errors are the endpoint's."""
        for counted in self._counted(without=_STATUSES):
            counted.leave(_PRIOR_CALLS, at_s=at_s)

    def heed_clock(self, *, now_s: float) -> None:
        """Calls of a time to come were counted by a clock that was wrong: they keep no more than a profile's weight.

        When they were made is not known; they would outweigh all that follow until their time has come.
        """
        if self.last_s is None or self.last_s <= now_s + _CLOCKS_DIFFER_S:
            return
        for counted in self._counted():
            counted.leave(_PRIOR_CALLS, at_s=now_s)
        self.last_s = now_s

    def merge(self, other: "BackendStatistics") -> None:
        """Add what another replica counted."""
        self.n_calls += other.n_calls
        self.last_s = max((at_s for at_s in (self.last_s, other.last_s) if at_s is not None), default=None)
        self.answered_as = list(dict.fromkeys([*self.answered_as, *other.answered_as]))[:_MOST_NAMES]
        for name, sketch in self.sketches.items():
            sketch.merge(other.sketches[name])
        self.whole_call.merge(other.whole_call)
        self.input_ratio.merge(other.input_ratio)

    def measured(self, *, at_s: float, profile: ModelProfile | None = None) -> Measured:
        """The facts that a forecast uses, as known at a time; shrunk toward the profile while calls are few."""
        stated_spt = 1 / profile.tokens_per_s if profile is not None and profile.tokens_per_s else None
        output, (ratio, added) = self._length(at_s), self._tokenizer(at_s, profile)
        first, per_token = self._times(at_s)
        return Measured(
            n_calls=self.n_calls,
            output_tokens_mean=_shrunk(output, profile.output_tokens_mean if profile else None),
            output_tokens_sd=_width(output),
            input_token_ratio=ratio,
            input_tokens_added=added,
            ttft_s=_shrunk(first, profile.ttft_s if profile else None),
            ttft_sd_s=_width(first),
            seconds_per_output_token=_shrunk(per_token, stated_spt),
            error_rate=self._error_rate(at_s),
        )

    def to_json(self) -> dict[str, object]:
        """Plain values, for `from_json`."""
        return {
            "n_calls": self.n_calls,
            "last_s": self.last_s,
            "answered_as": self.answered_as,
            "half_lives": {"latency_s": self.half_lives.latency_s, "length_s": self.half_lives.length_s},
            "sketches": {name: sketch.to_json() for name, sketch in self.sketches.items()},
            "whole_call": self.whole_call.to_json(),
            "input_ratio": self.input_ratio.to_json(),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, object]) -> "BackendStatistics":
        """What `to_json` wrote."""
        half_lives, sketches, line = values["half_lives"], values["sketches"], values["whole_call"]
        ratio = values.get("input_ratio")  # files from before it was a line have none
        if not (isinstance(half_lives, Mapping) and isinstance(sketches, Mapping) and isinstance(line, Mapping)):
            raise TypeError("statistics must be tables")
        statistics = cls(half_lives=HalfLives(**half_lives), n_calls=int(str(values["n_calls"])))
        statistics.sketches.update(
            {name: DecayedSketch.from_json(kept) for name, kept in sketches.items() if name in _SKETCHES}
        )
        statistics.whole_call = DecayedLine.from_json(line)
        last, names = values.get("last_s"), values.get("answered_as")
        statistics.last_s = float(last) if isinstance(last, int | float) else None
        statistics.answered_as = [str(name) for name in names] if isinstance(names, list) else []
        if isinstance(ratio, Mapping):
            statistics.input_ratio = DecayedLine.from_json(ratio)
        return statistics

    def _note_name(self, call: CallFacts) -> None:
        """A name that was never seen is another model; one that comes back is not, nor is one of very many."""
        name, known = call.answered_as, self.answered_as
        if not name or name in known or len(known) >= _MOST_NAMES:
            return
        self.answered_as = [*known, name]
        if known:
            self.is_of_another_model(at_s=call.at_s)

    def _counted(self, *, without: frozenset[str] = frozenset()) -> Iterator[DecayedSketch | DecayedLine]:
        yield from (self.whole_call, self.input_ratio)
        yield from (sketch for name, sketch in self.sketches.items() if name not in without)

    def _add_times(self, call: CallFacts) -> None:
        if call.ttft_s is not None:
            self.sketches["ttft_s"].add(call.ttft_s, at_s=call.at_s)
        if call.latency_s is None or not call.output_tokens:
            return
        if call.ttft_s is None:
            self.whole_call.add(call.output_tokens, call.latency_s, at_s=call.at_s)
        elif call.output_tokens > 1:
            per_token = max(0.0, call.latency_s - call.ttft_s) / (call.output_tokens - 1)
            self.sketches["seconds_per_token"].add(per_token, at_s=call.at_s)

    def _times(self, at_s: float) -> tuple[Spread | None, Spread | None]:
        """Time to the first token and time per token: seen in streams, else read off the line through whole calls."""
        first, per_token = self._spread("ttft_s", at_s), self._spread("seconds_per_token", at_s)
        line = self.whole_call.fit(at_s=at_s)
        if line is None or (first is not None and per_token is not None and first.weight >= line[0]):
            return first, per_token
        weight, intercept, slope = line
        return (
            Spread(weight=weight, mean=intercept, sd=intercept / 2),  # the line tells no width: assume a wide one
            Spread(weight=weight, mean=slope, sd=slope / 2),
        )

    def _tokenizer(self, at_s: float, profile: ModelProfile | None) -> tuple[float | None, float | None]:
        """The ratio of long prompts and the tokens added to all; None while calls are too few.

        What a template adds makes the ratios of short prompts large, and says nothing of long ones: the two are told
        apart by Bayesian regression of the ratio, whose error is alike at all lengths, on 1 / length.
        """
        weight, x, y, xx, xy = self.input_ratio.sums_at(at_s)
        if weight < _TOO_FEW:
            return None, None
        stated = stated_token_ratio(profile) if profile is not None else 1.0
        noise, of_ratio, of_added = _ESTIMATE_SD**-2, _RATIO_SD**-2, _ADDED_SD**-2  # precisions
        known, both, added_known = noise * weight + of_ratio, noise * x, noise * xx + of_added
        told, told_added = noise * y + of_ratio * stated, noise * xy
        determinant = known * added_known - both * both
        added = max(0.0, (known * told_added - both * told) / determinant)
        return max(_LEAST_RATIO, (told - both * added) / known), added

    def _length(self, at_s: float) -> Spread | None:
        """Of answers as they would be without a limit."""
        return with_cut_off(self.sketches["output_tokens"], self.sketches["cut_off_tokens"]).spread(at_s=at_s)

    def _spread(self, name: str, at_s: float) -> Spread | None:
        return self.sketches[name].spread(at_s=at_s)

    def _error_rate(self, at_s: float) -> float | None:
        ok, failed = (self._spread(name, at_s) for name in ("ok", "failed"))
        n_ok, n_failed = ok.weight if ok else 0.0, failed.weight if failed else 0.0
        if self.n_calls == 0:
            return None
        return (n_failed + _PRIOR_ERRORS) / (n_ok + n_failed + _PRIOR_TRIES)


def _shrunk(seen: Spread | None, stated: float | None) -> float | None:
    if seen is None:
        return None
    if stated is None:
        return seen.mean if seen.weight >= _TOO_FEW else None
    return (seen.weight * seen.mean + _PRIOR_CALLS * stated) / (seen.weight + _PRIOR_CALLS)


def _width(seen: Spread | None) -> float | None:
    """How far off the next call may be, as the standard deviation of a normal variable with the same 90 % interval.

    That of what was seen is a tenth too small, since its ends count as the last values inside; and of few calls neither
    it nor the mean is known well: Student's quantile in place of the normal one, by the first terms of its expansion.

    Source: Fisher and Cornish, The Percentile Points of Distributions Having Known Cumulants, Technometrics 2(2), 1960.
    """
    if seen is None or seen.weight < _TOO_FEW:
        return None
    n, degrees = seen.weight, seen.weight - 1
    students = 1 + 0.926 / degrees + 0.863 / degrees**2  # over the normal quantile, at 0.95
    sd = math.hypot(seen.sd / _SEEN_INSIDE, _BIN * seen.mean)
    return sd * math.sqrt(n / degrees * (1 + 1 / n)) * students
