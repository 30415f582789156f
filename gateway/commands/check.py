"""What `paretogate doctor` says of one thing."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Check", "Verdict"]

Verdict = Literal["ok", "note", "broken"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at. `note` limits what works, `broken` keeps the gateway from serving."""

    subject: str
    verdict: Verdict
    detail: str
    remedy: str | None = None
