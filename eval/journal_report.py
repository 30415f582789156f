"""What policies would have earned on a journal, as rows for machines and as a table for people."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich import box
from rich.table import Table

from .journal_value import PolicyValue

__all__ = ["journal_report", "value_row"]


def value_row(value: PolicyValue) -> dict[str, object]:
    """Plain JSON values; an unknown number is null."""
    costs = {"cost_usd": value.cost_usd, "logged_cost_usd": value.logged_cost_usd}
    return {
        **asdict(value.estimate),
        "logged": value.logged,
        "doubly_robust_interval": asdict(value.doubly_robust),
        "gain_interval": asdict(value.gain),
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
        box=box.SIMPLE_HEAD,
    )
    for row in rows:
        if "refused" in row:
            table.add_row(row["journal"], row["policy"], row["refused"])
            continue
        worth, gain = row["doubly_robust"], row["doubly_robust"] - row["logged"]
        table.add_row(
            row["journal"],
            row["policy"],
            f"{worth:.4f} {_band(row['doubly_robust_interval'], '.4f')}",
            f"{gain:+.4f} {_band(row['gain_interval'], '+.4f')}",
            _usd(row["cost_usd"]),
            _usd(row["logged_cost_usd"]),
            f"{row['n']} rewarded, as good as {row['effective_sample_size']:.0f}",
        )
    return table


def _band(interval: Mapping[str, float], form: str) -> str:
    return f"[{interval['lower']:{form}}, {interval['upper']:{form}}]"


def _usd(cost: float | None) -> str:
    return "?" if cost is None else f"{cost:.3g}"
