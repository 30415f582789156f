"""The predictors that all replicas put in force one after another, as Redis keeps them: numbers and digests."""

import hashlib
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Self

import orjson

from predictors import BadArtefactError
from predictors.versions import rolled_back

__all__ = ["MOST_IN_FORCE", "MOST_ORDER_BYTES", "Order", "Promoted"]

MOST_IN_FORCE: Final = 4  # Redis keeps the files of so many: rolling back reaches the three before, and what ships
MOST_ORDER_BYTES: Final = 1 << 16
_FORMAT: Final = 1
_MOST_NUMBER: Final = 10**9
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Promoted:
    """One that was promoted for all."""

    number: int
    digest: str  # of its files (`Parcel.digest`)

    def __post_init__(self) -> None:
        if not (isinstance(self.number, int) and 0 < self.number <= _MOST_NUMBER and _DIGEST.fullmatch(self.digest)):
            raise ValueError("a version has a number and a digest")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Impossible to build with numbers that do not grow, or with more than Redis keeps."""

    last: int = 0  # the highest number that was ever given
    in_force: tuple[Promoted, ...] = ()  # the last decides; none: the predictor that ships

    def __post_init__(self) -> None:
        numbers = [version.number for version in self.in_force]
        if not isinstance(self.last, int) or self.last > _MOST_NUMBER:
            raise ValueError("the last number is none that could be given")
        if not all(a < b for a, b in pairwise([*numbers, self.last + 1])) or len(numbers) > MOST_IN_FORCE:
            raise ValueError("numbers grow, up to the last that was given")

    @classmethod
    def read(cls, content: bytes, *, key: str) -> Self:
        """As `content` wrote it, which stands under this key.

        Raises:
            BadArtefactError: it is damaged, or of another version of this program.
        """
        try:
            said: Any = orjson.loads(content)
            versions = tuple(Promoted(number=told["number"], digest=told["digest"]) for told in said["in_force"])
            order, form = cls(last=said["last"], in_force=versions), said["format_version"]
        except (ValueError, TypeError, KeyError) as exc:
            raise _bad(key, f"it is no order of predictors ({exc})") from exc
        if form != _FORMAT:
            raise _bad(key, f"its format is {form!r}, this program reads {_FORMAT}")
        return order

    @property
    def content(self) -> bytes:
        """For Redis; equal orders give equal bytes."""
        in_force = [{"number": version.number, "digest": version.digest} for version in self.in_force]
        return orjson.dumps({"format_version": _FORMAT, "last": self.last, "in_force": in_force})

    @property
    def name(self) -> str:
        """Tells it apart from every other."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def deciding(self) -> Promoted | None:
        """The version in force; None is the predictor that ships."""
        return self.in_force[-1] if self.in_force else None

    def promoted(self, digest: str, *, above: int = 0) -> Self:
        """With one more in force, of a number that nobody had, above this one; the same where it decides already."""
        if self.deciding is not None and self.deciding.digest == digest:
            return self
        number = max(self.last, above) + 1
        versions = (*self.in_force, Promoted(number=number, digest=digest))
        return type(self)(last=number, in_force=versions[-MOST_IN_FORCE:])

    def rolled_back(self, to: int | None = None) -> Self:
        """With an earlier one in force again; see `predictors.versions.rolled_back`."""
        left = rolled_back([version.number for version in self.in_force], to)
        return type(self)(last=self.last, in_force=self.in_force[: len(left)])


def _bad(key: str, problem: str) -> BadArtefactError:
    return BadArtefactError(
        path=f"{key} in the journal's Redis",
        problem=problem,
        remedy="upgrade this replica where others are newer, else delete that key there (DEL) and promote again",
    )
