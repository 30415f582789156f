"""Models as tables on a terminal and as plain JSON: how facts are shown, in one place."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from rich.table import Table

from .capability.compatibility import Flips
from .derived import DerivedFact
from .difference import CatalogDifference
from .efficiency.denoised_runtime import DenoisedRuntime
from .facts import plain
from .offer import Offer
from .price import RATES, Price
from .profile import ModelProfile

__all__ = [
    "comparison",
    "derived_sheet",
    "difference_facts",
    "difference_report",
    "fact_sheet",
    "flip_report",
    "model_list",
    "offer_list",
    "record_list",
    "runtime_list",
]

_NAMES = tuple(f.name for f in fields(ModelProfile) if f.name not in {"id", "provenance", "derived", "measured"})


def model_list(profiles: Sequence[ModelProfile]) -> Table:
    """One line per model."""
    table = _table("model", "ability", "in $/M", "out $/M", "context", "params B", "released", "license", "can")
    for column in table.columns[1:6]:
        column.justify = "right"
    for profile in profiles:
        price = profile.price
        general = profile.ability.get("general")
        table.add_row(
            profile.id,
            f"{general.mean:+.2f}±{general.se:.2f}" if general else "?",
            f"{price.input_usd_per_mtok.normalize():f}" if price else "?",
            f"{price.output_usd_per_mtok.normalize():f}" if price else "?",
            _short(profile.context_tokens),
            f"{profile.params_total_b:g}" if profile.params_total_b else "?",
            str(profile.released or "?"),
            profile.license or ("open" if profile.open_weights else "?"),
            " ".join(sorted(profile.capabilities - {"streaming"})),
        )
    return table


def fact_sheet(profile: ModelProfile) -> Table:
    """Every known fact of a model with its source."""
    table = _table("fact", "value", "source", title=profile.id)
    for name in _NAMES:
        if value := _shown(getattr(profile, name)):
            source = profile.provenance.get(name)
            told = f"{source.source} ({source.trust.name.lower()})" if source else ""
            table.add_row(name, value, told + (f", {source.recorded}" if source and source.recorded else ""))
    return table


def derived_sheet(derived: Sequence[DerivedFact]) -> Table:
    """What follows from the facts, with its method and its band."""
    table = _table("inferred", "value", "give or take", "method", title="Inferred, not measured")
    for fact in derived:
        band = "" if fact.factor is None else f"x{fact.factor:.2g}"
        table.add_row(fact.name, f"{fact.value:.3g} {fact.unit}", band, fact.method)
    return table


def offer_list(offers: Sequence[Offer]) -> Table:
    """What providers ask for one model, the cheapest output first."""
    table = _table("provider", "their name", "in $/M", "out $/M", "cached $/M", "context", "retires", title="Offers")
    for offer in sorted(offers, key=lambda o: (o.price is None, o.price and o.price.output_usd_per_mtok, o.provider)):
        price = offer.price
        cached = price.cached_input_usd_per_mtok if price else None
        table.add_row(
            offer.provider,
            offer.model_name,
            f"{price.input_usd_per_mtok:f}" if price else "?",
            f"{price.output_usd_per_mtok:f}" if price else "?",
            "?" if cached is None else f"{cached:f}",
            _short(offer.context_tokens),
            str(offer.retires or ""),
        )
    return table


def record_list(records: Sequence[Mapping[str, Any]]) -> Table:
    """One line per record of a hub."""
    names = ("id", "params_b", "license", "released", "downloads", "likes", "pipeline_tag")
    table = _table(*names)
    for record in records:
        table.add_row(*("?" if record.get(name) is None else str(record[name]) for name in names))
    return table


def comparison(profiles: Sequence[ModelProfile]) -> Table:
    """Models side by side, one fact a line; facts that nobody knows are left out."""
    table = _table("fact", *(profile.id for profile in profiles))
    for name in _NAMES:
        values = [_shown(getattr(profile, name)) for profile in profiles]
        if any(values):
            table.add_row(name, *(value or "?" for value in values))
    return table


def difference_facts(found: CatalogDifference) -> dict[str, Any]:
    """Everything that differs between two catalogs, ready for JSON."""
    told = {name: [asdict(row) for row in getattr(found, name)] for name in ("changed", "prices", "silent")}
    plain = {name: [{key: plain(value) for key, value in row.items()} for row in rows] for name, rows in told.items()}
    return {"added": list(found.added), "removed": list(found.removed), **plain}


def difference_report(found: CatalogDifference) -> Table:
    """One line per difference: models that came and went, then prices, then facts."""
    table = _table("model", "what", "was", "now")
    for model_id in found.added:
        table.add_row(model_id, "added", "", "")
    for model_id in found.removed:
        table.add_row(model_id, "removed", "", "")
    for drift in found.prices:
        moved = f" ({drift.ratio - 1:+.0%})" if drift.ratio is not None else ""
        table.add_row(
            drift.model_id, f"{drift.rate} $/M", f"{drift.was_usd_per_mtok:g}", f"{drift.now_usd_per_mtok:g}{moved}"
        )
    silent = {(change.model_id, change.field) for change in found.silent}
    for change in found.changed:
        warning = "  <- other weights?" if (change.model_id, change.field) in silent else ""
        table.add_row(change.model_id, change.field, _text(change.was), _text(change.now) + warning)
    return table


def runtime_list(fitted: Mapping[str, DenoisedRuntime]) -> Table:
    """One line per backend: its undisturbed times, and the usual call beside them."""
    table = _table("backend", "calls", "start s", "ms/prompt token", "ms/output token", "500 in, 200 out", "usual call")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, told in fitted.items():
        table.add_row(
            name,
            f"{told.n_calls:,}",
            f"{told.start_s:.2f}",
            f"{1e3 * told.seconds_per_prompt_token:.3f}",
            f"{1e3 * told.seconds_per_output_token:.1f}",
            f"{told.runtime_s(prompt_tokens=500, output_tokens=200):.2f} s",
            f"x{told.contention:.2f}",
        )
    return table


def flip_report(flips: Sequence[Flips]) -> Table:
    """What an update broke and mended, one line per task."""
    table = _table("task", "n", "old", "new", "NFR", "PFR", "still right", "mean gain", "mean loss")
    for column in table.columns[1:]:
        column.justify = "right"
    for told in flips:
        shares = (told.still_right, told.gain, told.regression)
        table.add_row(
            told.task,
            str(told.n),
            f"{told.old_mean:.3f}",
            f"{told.new_mean:.3f}",
            f"{told.negative:.1%}",
            f"{told.positive:.1%}",
            *("?" if share is None else f"{share:.3f}" for share in shares),
        )
    return table


def _text(value: object) -> str:
    return "?" if value is None else str(plain(value))


def _table(*columns: str, title: str | None = None) -> Table:
    table = Table(title=title, box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _short(tokens: int | None) -> str:
    if tokens is None:
        return "?"
    return f"{tokens / 1e6:g}M" if tokens % 100_000 == 0 and tokens >= 1_000_000 else f"{tokens / 1000:.0f}k"


def _shown(value: object) -> str:
    """A fact as a person reads it; empty where there is nothing to show."""
    if value is None or value in ((), frozenset(), ""):
        return ""
    if isinstance(value, Price):
        rates = {name.removesuffix("_usd_per_mtok"): getattr(value, name) for name in RATES}
        shown = ", ".join(f"{name} ${rate.normalize():f}/M" for name, rate in rates.items() if rate is not None)
        if value.long_context is None:
            return shown
        return f"{shown}; inputs above {_short(value.long_context_above_tokens)}: {_shown(value.long_context)}"
    if isinstance(value, Mapping):
        return ", ".join(f"{axis} {a.mean:+.2f}±{a.se:.2f} ({a.n_benchmarks})" for axis, a in sorted(value.items()))
    if isinstance(value, frozenset | tuple):
        return ", ".join(sorted(value))
    return (
        "yes" if value is True else "no" if value is False else f"{value:,}" if isinstance(value, int) else str(value)
    )
