"""What policies would have earned on a journal, as rows for machines and as a table for people."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.table import Table

from eval.errors import MissingFactsError, NoOverlapError
from predictors.stages import Tell
from router import Policy, RoutingOptions

from .logged_decisions import LoggedDecision
from .value import PolicyValue, value_policy

__all__ = ["journal_report", "value_row", "value_rows"]


def value_rows(
    log: Sequence[LoggedDecision],
    policies: Sequence[str],
    *,
    configured: Mapping[str, Policy],
    seed: int,
    progress: Tell,
) -> Iterator[dict[str, object]]:
    """A row for each policy; one that the log cannot value is `refused`, with the reason."""
    for done, policy in enumerate(policies):
        progress(f"valuing {policy}", done, len(policies))
        row: dict[str, object] = {"decisions": len(log), "policy": policy}
        options = RoutingOptions(policy=policy, explore=False)
        try:
            yield row | value_row(value_policy(log, options, policies=configured, seed=seed))
        except (NoOverlapError, MissingFactsError) as exc:
            yield row | {"refused": str(exc)}


def value_row(value: PolicyValue) -> dict[str, object]:
    """Plain JSON values; an unknown number is null."""
    costs = {"cost_usd": value.cost_usd, "logged_cost_usd": value.logged_cost_usd}
    return {
        **asdict(value.estimate),
        "logged": value.logged,
        "worth": value.worth.mean,
        "worth_interval": asdict(value.worth.interval),
        "gain": value.gain.mean,
        "gain_interval": asdict(value.gain.interval),
        "explored": value.worth.explored,
        "without_support": value.without_support,
        **{name: None if math.isnan(cost) else cost for name, cost in costs.items()},
    }


def journal_report(rows: Sequence[Mapping[str, Any]]) -> Table:
    """One line per journal and policy; a policy that the log cannot value says why."""
    table = Table(
        "journal",
        "policy",
        "worth (95 %)",
        "more than was logged",
        "USD a request",
        "logged",
        "judged by",
        "left out, without support",
        box=box.SIMPLE_HEAD,
    )
    for row in rows:
        if "refused" in row:
            table.add_row(row["journal"], row["policy"], row["refused"])
            continue
        table.add_row(
            row["journal"],
            row["policy"],
            f"{row['worth']:.4f} {_band(row['worth_interval'], '.4f')}",
            f"{row['gain']:+.4f} {_band(row['gain_interval'], '+.4f')}",
            _usd(row["cost_usd"]),
            _usd(row["logged_cost_usd"]),
            f"{row['n']} rewarded; of what was explored {row['explored']}",
            f"{row['without_support']:.1%}",
        )
    return table


def _band(interval: Mapping[str, float], form: str) -> str:
    return f"[{interval['lower']:{form}}, {interval['upper']:{form}}]"


def _usd(cost: float | None) -> str:
    return "?" if cost is None else f"{cost:.3g}"
