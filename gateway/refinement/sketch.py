"""Mergeable, forgetful summaries of a stream of numbers.

Both summaries forget by forward decay: an observation weighs 2^((time - landmark) / half life), so that nothing has
to be touched as time passes and two replicas' summaries add up exactly, whatever their landmarks.

Source: Cormode, Shkapenyuk, Srivastava and Xu, Forward Decay: A Practical Time Decay Model for Streaming Systems,
ICDE 2009; the bins are those of Masson, Rim and Lee, DDSketch, VLDB 2019.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["DecayedLine", "DecayedSketch", "Spread", "with_cut_off"]

_GAMMA = 1.04  # ratio of neighbouring bins: a value is known to 2 %
_LOG_GAMMA = math.log(_GAMMA)
_ZERO_BIN = -(1 << 20)  # values of zero and below
_REBASE_AT = 64.0  # half lives after which the landmark moves, long before a weight could overflow


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Middle and width of what was observed, and how much of it there was."""

    weight: float  # observations, the old ones counted less
    mean: float
    sd: float


@dataclass(slots=True)
class DecayedSketch:
    """A histogram on a logarithmic grid, for numbers that are not negative."""

    half_life_s: float
    landmark_s: float | None = None
    bins: dict[int, float] = field(default_factory=dict)

    def add(self, value: float, *, at_s: float) -> None:
        """Count one observation made at a time, seconds since the epoch."""
        index, weight = _index(value), self._weight(at_s)  # weighed first: that may scale what is there
        self.bins[index] = self.bins.get(index, 0.0) + weight

    def merge(self, other: "DecayedSketch") -> None:
        """Add what another replica counted."""
        if other.landmark_s is None:
            return
        scale = self._weight(other.landmark_s)
        for index, weight in other.bins.items():
            self.bins[index] = self.bins.get(index, 0.0) + scale * weight

    def weight_at(self, at_s: float) -> float:
        """How many observations all weigh as at a time."""
        if self.landmark_s is None:
            return 0.0
        return sum(self.bins.values()) * _factor(self.landmark_s - at_s, self.half_life_s)

    def leave(self, most: float, *, at_s: float) -> None:
        """Let all that was seen so far weigh as at most so many observations at a time, from which weights count."""
        total = sum(self.bins.values())
        if total > 0:
            scale = min(self.weight_at(at_s), most) / total
            self.bins, self.landmark_s = {index: weight * scale for index, weight in self.bins.items()}, at_s

    def spread(self, *, at_s: float, trim: float = 0.05) -> Spread | None:
        """Winsorised mean and standard deviation: the share `trim` at each end counts as the last value inside.

        None where nothing was observed. The width of a normal sample comes out about a tenth too small.
        """
        total = sum(self.bins.values())
        if self.landmark_s is None or total <= 0:
            return None
        low, high = self._quantile(trim, total), self._quantile(1 - trim, total)
        values = {index: min(max(_middle(index), low), high) for index in self.bins}
        mean = sum(weight * values[index] for index, weight in self.bins.items()) / total
        variance = sum(weight * (values[index] - mean) ** 2 for index, weight in self.bins.items()) / total
        return Spread(
            weight=total * _factor(self.landmark_s - at_s, self.half_life_s), mean=mean, sd=math.sqrt(variance)
        )

    def to_json(self) -> dict[str, object]:
        """Plain values, for `from_json`."""
        return {
            "half_life_s": self.half_life_s,
            "landmark_s": self.landmark_s,
            "bins": {str(index): weight for index, weight in sorted(self.bins.items())},
        }

    @classmethod
    def from_json(cls, values: Mapping[str, object]) -> "DecayedSketch":
        """What `to_json` wrote."""
        bins = values["bins"]
        if not isinstance(bins, Mapping):
            raise TypeError("bins must be a table")
        return cls(
            half_life_s=float(str(values["half_life_s"])),
            landmark_s=None if values["landmark_s"] is None else float(str(values["landmark_s"])),
            bins={int(index): float(weight) for index, weight in bins.items()},
        )

    def _weight(self, at_s: float) -> float:
        if self.landmark_s is None:
            self.landmark_s = at_s
        if (at_s - self.landmark_s) / self.half_life_s > _REBASE_AT:
            scale = _factor(self.landmark_s - at_s, self.half_life_s)
            self.bins = {index: weight * scale for index, weight in self.bins.items()}
            self.landmark_s = at_s
        return _factor(at_s - self.landmark_s, self.half_life_s)

    def _quantile(self, share: float, total: float) -> float:
        seen = 0.0
        for index in sorted(self.bins):
            seen += self.bins[index]
            if seen >= share * total:
                return _middle(index)
        return _middle(max(self.bins))


def with_cut_off(whole: DecayedSketch, cut_off: DecayedSketch) -> DecayedSketch:
    """How observations are distributed of which some were cut off, so that only a lower bound of them is known.

    What was cut off is shared out among the larger values by Kaplan and Meier's estimator. What was cut off beyond the
    largest whole value is put as much farther as the mean would be, were the distribution exponential. The result
    weighs as much as the whole observations do.

    Source: Kaplan and Meier, JASA 1958.
    """
    if whole.landmark_s is None or cut_off.landmark_s is None:
        return whole
    scale = _factor(cut_off.landmark_s - whole.landmark_s, whole.half_life_s)
    n_whole, at_risk = sum(whole.bins.values()), sum(whole.bins.values()) + scale * sum(cut_off.bins.values())
    sum_of_all = _sum(whole.bins) + scale * _sum(cut_off.bins)
    bins, surviving, last = {}, n_whole, 0
    for index in sorted(whole.bins.keys() | cut_off.bins.keys()):
        ended = whole.bins.get(index, 0.0)
        if ended:
            bins[index] = surviving * min(1.0, ended / at_risk)
            surviving -= bins[index]
        at_risk -= ended + scale * cut_off.bins.get(index, 0.0)
        last = index
    if surviving > 1e-9 * n_whole:
        beyond = _index(_middle(last) + sum_of_all / n_whole)
        bins[beyond] = bins.get(beyond, 0.0) + surviving
    return DecayedSketch(whole.half_life_s, landmark_s=whole.landmark_s, bins=bins)


@dataclass(slots=True)
class DecayedLine:
    """A straight line through (x, y) points by least squares, kept as five sums."""

    half_life_s: float
    landmark_s: float | None = None
    sums: tuple[float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0)  # of w, wx, wy, wxx, wxy

    def add(self, x: float, y: float, *, at_s: float) -> None:
        """Count one point observed at a time, seconds since the epoch."""
        w = self._weight(at_s)
        self.sums = _plus(self.sums, (w, w * x, w * y, w * x * x, w * x * y))

    def merge(self, other: "DecayedLine") -> None:
        """Add what another replica counted."""
        if other.landmark_s is not None:
            scale = self._weight(other.landmark_s)  # first: that may scale what is there
            self.sums = _plus(self.sums, _times(other.sums, scale))

    def sums_at(self, at_s: float) -> tuple[float, float, float, float, float]:
        """The sums of w, wx, wy, wxx and wxy, as they weigh at a time."""
        return self.sums if self.landmark_s is None else _times(self.sums, self._scale(at_s))

    def weight_at(self, at_s: float) -> float:
        """How many points all weigh as at a time."""
        return self.sums_at(at_s)[0]

    def leave(self, most: float, *, at_s: float) -> None:
        """Let all that was seen so far weigh as at most so many points at a time, from which weights count."""
        if self.sums[0] > 0:
            scale = min(self.weight_at(at_s), most) / self.sums[0]
            self.sums, self.landmark_s = _times(self.sums, scale), at_s

    def fit(self, *, at_s: float) -> tuple[float, float, float] | None:
        """(weight, intercept, slope), both not negative; None where all x are alike."""
        n, x, y, xx, xy = self.sums
        variance = xx * n - x * x
        if self.landmark_s is None or n <= 0 or variance <= 1e-6 * x * x:
            return None
        slope = max(0.0, (xy * n - x * y) / variance)
        intercept = max(0.0, (y - slope * x) / n)
        return n * self._scale(at_s), intercept, slope

    def to_json(self) -> dict[str, object]:
        """Plain values, for `from_json`."""
        return {"half_life_s": self.half_life_s, "landmark_s": self.landmark_s, "sums": list(self.sums)}

    @classmethod
    def from_json(cls, values: Mapping[str, object]) -> "DecayedLine":
        """What `to_json` wrote."""
        sums = values["sums"]
        if not isinstance(sums, list):
            raise TypeError("sums must be a list")
        w, x, y, xx, xy = (float(value) for value in sums)
        return cls(
            half_life_s=float(str(values["half_life_s"])),
            landmark_s=None if values["landmark_s"] is None else float(str(values["landmark_s"])),
            sums=(w, x, y, xx, xy),
        )

    def _scale(self, at_s: float) -> float:
        """What the sums weigh at a time, of what they weighed at the landmark."""
        return _factor((self.landmark_s or 0.0) - at_s, self.half_life_s)

    def _weight(self, at_s: float) -> float:
        if self.landmark_s is None:
            self.landmark_s = at_s
        if (at_s - self.landmark_s) / self.half_life_s > _REBASE_AT:
            self.sums = _times(self.sums, _factor(self.landmark_s - at_s, self.half_life_s))
            self.landmark_s = at_s
        return _factor(at_s - self.landmark_s, self.half_life_s)


_Sums = tuple[float, float, float, float, float]


def _plus(a: _Sums, b: _Sums) -> _Sums:
    return (a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3], a[4] + b[4])


def _times(a: _Sums, scale: float) -> _Sums:
    return (a[0] * scale, a[1] * scale, a[2] * scale, a[3] * scale, a[4] * scale)


def _index(value: float) -> int:
    return math.ceil(math.log(value) / _LOG_GAMMA) if value > 0 else _ZERO_BIN


def _sum(bins: Mapping[int, float]) -> float:
    return sum(weight * _middle(index) for index, weight in bins.items())


def _middle(index: int) -> float:
    return 0.0 if index == _ZERO_BIN else 2 * _GAMMA**index / (1 + _GAMMA)


def _factor(elapsed_s: float, half_life_s: float) -> float:
    return float(2.0 ** max(-1000.0, min(elapsed_s / half_life_s, 1000.0)))
