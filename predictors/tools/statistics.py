"""What was called for what, as sums that replicas gather apart and merge exactly."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from predictors.encoders.protocol import Vectors

from .errors import InvalidToolError
from .registry import ToolRegistry

__all__ = ["UsageStatistics"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Share:
    """What one replica saw of one tool: decayed sum and weight, both as of the latest call."""

    n_events: int
    weight: float
    total: Floats  # (dim,)
    as_of_s: float

    def plus(self, later: "_Share", *, half_life_s: float) -> "_Share":
        """Both together, as of the later of the two."""
        as_of_s = max(self.as_of_s, later.as_of_s)
        ours = _left(as_of_s - self.as_of_s, half_life_s)
        theirs = _left(as_of_s - later.as_of_s, half_life_s)
        return _Share(
            n_events=self.n_events + later.n_events,
            weight=ours * self.weight + theirs * later.weight,
            total=ours * self.total + theirs * later.total,
            as_of_s=as_of_s,
        )


@dataclass(slots=True, kw_only=True)
class UsageStatistics:
    """Decayed sums of request vectors per tool, kept apart by replica.

    A replica writes only its own share, and a share only grows; merging keeps the newer of two shares. So merging is
    commutative, associative and idempotent, and every replica that has seen the same events has the same bits,
    whatever came first or twice (a state-based CRDT). An event weighs 2 ** (-age / half_life); a share's sums are of
    the time of its latest event, so that no weight ever grows, however short the half-life.

    Source: Shapiro et al., Conflict-free Replicated Data Types, 2011.
    """

    dim: int
    half_life_s: float
    _shares: dict[tuple[str, str], _Share] = field(default_factory=dict)  # (tool, replica) -> share

    def __post_init__(self) -> None:
        if self.half_life_s <= 0 or self.dim <= 0:
            raise InvalidToolError(f"half_life_s and dim must be positive: {self.half_life_s}, {self.dim}")

    def observe(self, tool_id: str, vector: Vectors, *, replica: str, at_s: float, worth: float = 1.0) -> None:
        """Count one call.

        Args:
            tool_id: that was called.
            vector: (dim,) of the request, unit length.
            replica: the one that saw it, which is the one that runs this.
            at_s: when.
            worth: 1 for a call that served the request, less for one that may not have.

        Raises:
            InvalidToolError: the vector has another length, or the worth is negative.
        """
        if vector.shape != (self.dim,) or worth < 0:
            raise InvalidToolError(f"{tool_id}: needs shape ({self.dim},), worth >= 0; got {vector.shape}, {worth}")
        seen = _Share(n_events=1, weight=worth, total=worth * vector.astype(np.float64), as_of_s=at_s)
        old = self._shares.get((tool_id, replica))
        self._shares[tool_id, replica] = seen if old is None else old.plus(seen, half_life_s=self.half_life_s)

    def heed_clock(self, *, now_s: float) -> None:
        """What a clock that was wrong put in a time to come is of now: else it outweighs what follows."""
        self._shares = {key: replace(share, as_of_s=min(share.as_of_s, now_s)) for key, share in self._shares.items()}

    def merge(self, other: "UsageStatistics") -> "UsageStatistics":
        """Both together, as a new object.

        Raises:
            InvalidToolError: they differ in dimension or half-life.
        """
        if (self.dim, self.half_life_s) != (other.dim, other.half_life_s):
            raise InvalidToolError("only statistics of one dim and half_life_s can be merged")
        shares = dict(self._shares)
        for key, share in other._shares.items():  # noqa: SLF001 - of the same class
            if key not in shares or share.n_events > shares[key].n_events:
                shares[key] = share
        return UsageStatistics(dim=self.dim, half_life_s=self.half_life_s, _shares=shares)

    def plus(self, later: "UsageStatistics") -> "UsageStatistics":
        """What a replica saw until now, and what it saw since; no event may be in both. For replicas see `merge`."""
        shares = dict(self._shares)
        for key, share in later._shares.items():  # noqa: SLF001 - of the same class
            old = shares.get(key)
            shares[key] = share if old is None else old.plus(share, half_life_s=self.half_life_s)
        return UsageStatistics(dim=self.dim, half_life_s=self.half_life_s, _shares=shares)

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Everything, for a file."""
        keys = sorted(self._shares)
        shares = [self._shares[key] for key in keys]
        return {
            "half_life_s": np.array(self.half_life_s),
            "keys": np.array(keys, dtype=np.str_).reshape(len(keys), 2),
            "n_events": np.array([share.n_events for share in shares], dtype=np.int64),
            "as_of_s": np.array([share.as_of_s for share in shares], dtype=np.float64),
            "weights": np.array([share.weight for share in shares], dtype=np.float64),
            "totals": np.array([share.total for share in shares], dtype=np.float64).reshape(len(keys), self.dim),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> "UsageStatistics":
        """What `to_arrays` gave, to the bit.

        Raises:
            KeyError, ValueError: these are others.
        """
        totals = arrays["totals"]
        if "clock" in arrays:  # of before 30 November 2026: all as of one time, and weights grew
            half_life_s, epoch_s = (float(value) for value in arrays["clock"])
            as_of_s = np.full(len(totals), epoch_s)
        else:
            half_life_s, as_of_s = float(arrays["half_life_s"]), arrays["as_of_s"]
        if not (np.isfinite(totals).all() and np.isfinite(arrays["weights"]).all()):
            raise ValueError("sums that are no numbers")
        rows = zip(arrays["keys"], arrays["n_events"], arrays["weights"], totals, as_of_s, strict=True)
        shares = {
            (str(key[0]), str(key[1])): _Share(int(n), float(weight), total, float(at_s))
            for key, n, weight, total, at_s in rows
        }
        return cls(dim=int(totals.shape[1]), half_life_s=half_life_s, _shares=shares)

    def sums(self, registry: ToolRegistry, *, now_s: float) -> tuple[Floats, Floats]:
        """Decayed sums (n_tools, dim) and how many requests of today they are worth (n_tools,)."""
        totals, weights = np.zeros((len(registry), self.dim)), np.zeros(len(registry))
        for (tool_id, _), share in sorted(self._shares.items()):  # one order everywhere: sums of floats depend on it
            if tool_id in registry:
                row = registry.row(tool_id)
                left = _left(now_s - share.as_of_s, self.half_life_s)
                totals[row] += left * share.total
                weights[row] += left * share.weight
        return totals, weights

    def n_events(self) -> Mapping[str, int]:
        """Calls seen per tool, undecayed."""
        counts: dict[str, int] = {}
        for (tool_id, _), share in self._shares.items():
            counts[tool_id] = counts.get(tool_id, 0) + share.n_events
        return counts


def _left(age_s: float, half_life_s: float) -> float:
    """Of an event so old; one that is yet to come, by a clock that was wrong, is worth no more than one of now."""
    return float(2.0 ** (-age_s / half_life_s)) if age_s > 0 else 1.0
