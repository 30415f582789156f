"""What was done about one request's tools: for its headers, its records and its conversation."""

from dataclasses import dataclass, field
from typing import Any

__all__ = ["ToolTrail"]


@dataclass(slots=True, kw_only=True)
class ToolTrail:
    """Grows while the request is answered."""

    n_offered: int
    sent: tuple[str, ...]  # ids, in the order they were sent
    how: str  # cut, whole, failed_open or deferred
    why: str | None = (
        None  # where it failed: index_not_ready or failed; where it is to be better: index_of_another_version
    )
    registry: str | None = None  # NAME@VERSION that was ranked over; None for the request's own tools
    observed: list[dict[str, Any]] = field(default_factory=list)  # calls whose results this request brought
    vector: str | None = None  # of what was asked, base64 of float16; only with `observed`
    encoder: str | None = None
    rounds: int | None = None  # asked until the canonical call repeated, the first answer included
    repeated: bool | None = None  # whether it did within the bound
    invalid: list[str] = field(default_factory=list)  # what was wrong with calls, by tool and keyword; no values
    mended_by: str | None = None  # repair or escalate, where that gave valid calls
    risk: str | None = None  # of the riskiest tool sent, where a cap was asked for

    @property
    def summary(self) -> str:
        """For a header: `128->5`."""
        return f"{self.n_offered}->{len(self.sent)}"

    def headers(self) -> dict[str, str]:
        """What the client is told before the first byte."""
        told = {"x-paretogate-tools": self.summary}
        if self.why is not None:
            told["x-paretogate-tool-selection"] = self.why
        if self.rounds is not None:
            told["x-paretogate-tool-rounds"] = str(self.rounds)
        if self.invalid:
            told["x-paretogate-tool-calls"] = self.mended_by or "invalid"
        if self.risk is not None:
            told["x-paretogate-tool-risk"] = self.risk
        return told

    def facts(self) -> dict[str, Any]:
        """For the outcome's record: what is known, and nothing else."""
        facts = {
            "offered": self.n_offered,
            "sent": len(self.sent),
            "names": list(self.sent),
            "how": self.how,
            "registry": self.registry,
        }
        later = ("why", "observed", "vector", "encoder", "rounds", "repeated", "invalid", "mended_by", "risk")
        return facts | {name: value for name in later if (value := getattr(self, name)) not in (None, [])}
