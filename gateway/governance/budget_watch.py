"""Says once when little is left of a key's budget."""

from typing import Final

import structlog

from gateway.state import Claim, Grant, LimitName, periods
from gateway.telemetry import Telemetry

__all__ = ["BudgetWatch"]

log = structlog.get_logger(__name__)

_LOW_SHARE: Final = 0.2  # of a budget is left: time to tell somebody
_MAX_TOLD: Final = 10_000  # budgets of which it is remembered that somebody was told


class BudgetWatch:
    """Hears every grant, and tells of each budget once a process and a period. Metrics name no keys, the log does."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._told: dict[tuple[str, LimitName], str] = {}  # key and budget -> the day or month

    def granted(self, claim: Claim, grant: Grant) -> None:
        """Tell if a fifth or less of a budget was left before this claim."""
        limit = grant.scarcest
        if limit is None or grant.scarcest_share > _LOW_SHARE:
            return
        day, month = periods(claim.wall_s)
        period = day if limit == "budget_usd_per_day" else month
        if self._told.get((claim.holder, limit)) == period:
            return
        if len(self._told) >= _MAX_TOLD:
            self._told.clear()
        self._told[claim.holder, limit] = period
        self._telemetry.budget_ran_low(limit)
        log.warning(
            "budget_runs_low", key=claim.holder, limit=limit, left_share=round(max(0.0, grant.scarcest_share), 3)
        )
