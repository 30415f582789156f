"""Who hears that a key's dollars run low, and how often."""

import pytest
import structlog

from gateway.governance.budget_watch import BudgetWatch
from gateway.state import Claim, Grant, LimitName, Quota
from gateway.telemetry import Telemetry

NOON_S = 1_795_953_600.0  # 2026-11-29 12:00 UTC
DAY_S = 86_400.0


def claim(holder: str = "k", *, wall_s: float = NOON_S) -> Claim:
    return Claim(holder=holder, quota=Quota(budget_usd_per_day=1.0, budget_usd_per_month=9.0), wall_s=wall_s)


def grant(share: float, limit: LimitName = "budget_usd_per_day") -> Grant:
    return Grant(scarcest=limit, scarcest_share=share)


@pytest.mark.parametrize(
    ("heard", "told"),
    [
        ([(claim(), Grant())], 0),  # no budget
        ([(claim(), grant(0.21))], 0),
        ([(claim(), grant(0.2)), (claim(), grant(0.1)), (claim(), grant(-0.1))], 1),
        ([(claim(), grant(0.2)), (claim("another"), grant(0.2))], 2),
        ([(claim(), grant(0.2)), (claim(wall_s=NOON_S + DAY_S), grant(0.2))], 2),  # the next day
        ([(claim(wall_s=NOON_S + d * DAY_S), grant(0.1, "budget_usd_per_month")) for d in (0, 1)], 1),  # one month
        ([(claim(wall_s=NOON_S + d * DAY_S), grant(0.1, "budget_usd_per_month")) for d in (0, 2)], 2),  # the next
        ([(claim(), grant(0.2)), (claim(), grant(0.2, "budget_usd_per_month"))], 2),
    ],
)
def test_each_budget_is_told_of_once_a_period(heard: list[tuple[Claim, Grant]], told: int) -> None:
    telemetry = Telemetry()
    watch = BudgetWatch(telemetry)
    with structlog.testing.capture_logs() as logs:
        for asked, granted in heard:
            watch.granted(asked, granted)
    assert [entry["event"] for entry in logs] == ["budget_runs_low"] * told
    telemetry.refresh()
    lines = telemetry.exposition().decode().splitlines()
    assert sum(float(line.split()[-1]) for line in lines if line.startswith("paretogate_budgets_low_total{")) == told


def test_the_log_names_the_key_and_what_is_left() -> None:
    with structlog.testing.capture_logs() as logs:
        BudgetWatch(Telemetry()).granted(claim(), grant(0.125))
    (entry,) = logs
    assert (entry["key"], entry["limit"], entry["left_share"]) == ("k", "budget_usd_per_day", 0.125)
