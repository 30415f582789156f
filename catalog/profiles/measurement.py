"""What we measured of a model ourselves, by a procedure that has a name."""

from dataclasses import dataclass
from datetime import date

__all__ = ["Measurement"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One number, with what it takes to judge it."""

    name: str
    value: float
    unit: str
    method: str
    n: int  # answers, tokens or calls that it rests on
    measured: date
    se: float | None = None
