"""One number that follows from stated facts by a formula, with its method and its band."""

from dataclasses import dataclass

__all__ = ["DerivedFact"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DerivedFact:
    """One inferred number.

    `factor` is its band: the truth is thought to lie within value / factor and value x factor in two cases of three.
    None where the formula is exact but for what `method` names.
    """

    name: str
    value: float
    unit: str
    method: str
    factor: float | None = None
