"""Where a fact comes from, and how far to trust it."""

from dataclasses import dataclass
from datetime import date
from enum import IntEnum

__all__ = ["Provenance", "Trust"]


class Trust(IntEnum):
    """Of two sources that disagree, the more trusted one wins."""

    INFERRED = 0  # computed by a published formula from other facts
    SELF_REPORTED = 1
    LINKED = 2
    VERIFIED = 3
    MEASURED = 4  # by us, on this backend
    OPERATOR = 5  # stated in the operator's own configuration


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """The source of one fact."""

    source: str
    trust: Trust
    recorded: date | None = None
