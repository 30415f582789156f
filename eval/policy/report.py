"""A change of policy as a table for people."""

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from catalog.tables import flip_report

from .difference import Change, Move, PolicyDifference

__all__ = ["policy_report"]

_MOVES_SHOWN = 10


def policy_report(found: PolicyDifference, *, old: str, new: str) -> Group:
    """What changes, where to, and which right answers are lost."""
    changed = Text(f"{old} -> {new}: {found.changed:.1%} of {found.n} decisions change", style="bold")
    parts: list[Table | Text] = [changed, _means(found, old, new)]
    if found.moves:
        parts.append(_moves(found.moves, found.n))
    if found.flips:
        parts.append(flip_report(found.flips))
    return Group(*parts)


def _means(found: PolicyDifference, old: str, new: str) -> Table:
    table = Table("mean", old, new, "change (95 %)", box=box.SIMPLE_HEAD)
    rows = (
        ("score", found.score, ".4f"),
        ("cost, USD", found.cost_usd, ".3g"),
        ("predicted quality", found.predicted_quality, ".4f"),
        ("predicted cost, USD", found.predicted_cost_usd, ".3g"),
    )
    for name, change, form in rows:
        if change is not None:
            table.add_row(name, *_cells(change, form))
    if any(found.refused):
        table.add_row("refused", *(f"{share:.1%}" for share in found.refused), "")
    return table


def _cells(change: Change, form: str) -> tuple[str, str, str]:
    interval = change.difference
    band = f"[{interval.lower:+{form}}, {interval.upper:+{form}}]"
    return f"{change.old:{form}}", f"{change.new:{form}}", f"{change.new - change.old:+{form}} {band}"


def _moves(moves: tuple[Move, ...], n: int) -> Table:
    table = Table(
        "from", "to", "prompts", "share", title="Where decisions go", title_justify="left", box=box.SIMPLE_HEAD
    )
    for move in moves[:_MOVES_SHOWN]:
        table.add_row(move.old, move.new, str(move.n), f"{move.n / n:.1%}")
    rest = moves[_MOVES_SHOWN:]
    if rest:
        left = sum(move.n for move in rest)
        table.add_row(f"{len(rest)} more", "", str(left), f"{left / n:.1%}")
    return table
