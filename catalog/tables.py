"""Models as tables on a terminal and as plain JSON: how facts are shown, in one place."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from decimal import Decimal
from typing import Any

from rich.table import Table

from .capability.compatibility import Flips
from .derived import DerivedFact
from .efficiency.denoised_runtime import DenoisedRuntime
from .profiles.facts import plain
from .profiles.measurement import Measurement
from .profiles.offer import Offer
from .profiles.price import RATES, Price
from .profiles.profile import Ability, ModelProfile
from .updates.difference import CatalogDifference

__all__ = [
    "comparison",
    "derived_sheet",
    "difference_facts",
    "difference_report",
    "fact_sheet",
    "flip_report",
    "measured_sheet",
    "model_list",
    "offer_list",
    "record_list",
    "runtime_list",
]

_NAMES = tuple(f.name for f in fields(ModelProfile) if f.name not in {"id", "provenance", "derived", "measured"})


def model_list(profiles: Sequence[ModelProfile], *, width: int = 160) -> Table:
    """One line per model; on a narrow terminal fewer facts, so that names and numbers stay whole."""
    shown = [column for column in _LISTED if width >= column[1]]
    table = _table(*(title for title, _, _ in shown))
    for column, (title, _, _) in zip(table.columns, shown, strict=True):
        column.no_wrap = title not in {"model", "license", "can"}
        column.justify = "right" if title in _NUMBERS else "left"
    for profile in profiles:
        table.add_row(*(tell(profile) for _, _, tell in shown))
    return table


def _general(profile: ModelProfile) -> str:
    general = profile.ability.get("general")
    return f"{general.mean:+.2f}±{general.se:.2f}" if general else "?"


_NUMBERS = frozenset({"ability", "in $/M", "out $/M", "context", "params B"})
# Title, the narrowest terminal that it is shown on, and what it says of a model.
_LISTED: Sequence[tuple[str, int, Callable[[ModelProfile], str]]] = (
    ("model", 0, lambda p: p.id),
    ("ability", 0, _general),
    ("in $/M", 0, lambda p: _rate(p.price.input_usd_per_mtok if p.price else None)),
    ("out $/M", 0, lambda p: _rate(p.price.output_usd_per_mtok if p.price else None)),
    ("context", 76, lambda p: _short(p.context_tokens)),
    ("params B", 100, lambda p: f"{p.params_total_b:g}" if p.params_total_b else "?"),
    ("released", 100, lambda p: str(p.released or "?")),
    ("license", 120, lambda p: p.license or ("open" if p.open_weights else "?")),
    ("can", 140, lambda p: " ".join(sorted(p.capabilities - {"streaming"}))),
)


def fact_sheet(profile: ModelProfile) -> Table:
    """Every known fact of a model with its source."""
    table = _table("fact", "value", "source", title=profile.id)
    for name in _NAMES:
        if value := _shown(getattr(profile, name)):
            table.add_row(name, value, _sources(profile, name))
    return table


def _sources(profile: ModelProfile, name: str) -> str:
    """Where a fact comes from; of abilities also where single axes do."""
    own = {key: s for key, s in profile.provenance.items() if key == name or key.startswith(f"{name}.")}
    return "; ".join(
        (f"{key.removeprefix(f'{name}.')}: " if key != name else "")
        + f"{source.source} ({source.trust.name.lower()})"
        + (f", {source.recorded}" if source.recorded else "")
        for key, source in sorted(own.items())
    )


def measured_sheet(measured: Sequence[Measurement], *, title: str = "Measured by you") -> Table:
    """What was measured here, with its method, how much it rests on, and its error."""
    table = _table("measured", "value", "give or take", "n", "method", title=title)
    for found in measured:
        error = "" if found.se is None else f"±{found.se:.2g}"
        told = f"{found.method}, {found.measured}"
        table.add_row(found.name, f"{found.value:.3g} {found.unit}", error, f"{found.n:,}", told)
    return table


def derived_sheet(derived: Sequence[DerivedFact]) -> Table:
    """What follows from the facts, with its method and its band."""
    table = _table("inferred", "value", "give or take", "method", title="Inferred, not measured")
    for fact in derived:
        table.add_row(fact.name, _derived(fact), _band(fact), fact.method)
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
            _rate(price.input_usd_per_mtok if price else None),
            _rate(price.output_usd_per_mtok if price else None),
            _rate(cached),
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
    """Models side by side, one fact a line, what was measured and inferred with its error; `show` names the methods.

    Facts that nobody knows are left out.
    """
    table = _table("fact", *(profile.id for profile in profiles))
    for name in _NAMES:
        values = [_shown(getattr(profile, name)) for profile in profiles]
        if any(values):
            table.add_row(name, *(value or "?" for value in values))
    for name in sorted({name for profile in profiles for name in profile.measured}):
        found = [profile.measured.get(name) for profile in profiles]
        table.add_row(f"{name}, measured", *("?" if m is None else _measured(m) for m in found))
    for name in dict.fromkeys(name for profile in profiles for name in profile.derived):
        facts = [profile.derived.get(name) for profile in profiles]
        table.add_row(f"{name}, inferred", *("?" if f is None else f"{_derived(f)} {_band(f)}" for f in facts))
    return table


def _measured(found: Measurement) -> str:
    error = "" if found.se is None else f"±{found.se:.2g} "
    return f"{found.value:.3g} {error}{found.unit}, n = {found.n:,}"


def _derived(fact: DerivedFact) -> str:
    return "ABCDE"[round(fact.value) - 1] if fact.name == "energy_class" else f"{fact.value:.3g} {fact.unit}"


def _band(fact: DerivedFact) -> str:
    """How far off it may be; a count has no band but what its method leaves out."""
    return "counted" if fact.factor is None else f"x/÷{fact.factor:.2g}"


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
    table = _table("task", "n", "old", "new", "NFR", "NFR_mc", "PFR", "still right", "mean gain", "mean loss")
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
            "?" if told.negative_changed is None else f"{told.negative_changed:.1%}",
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
        return _price(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{axis} {_ability(ability)}" for axis, ability in sorted(value.items()))
    if isinstance(value, frozenset | tuple):
        return ", ".join(sorted(value))
    return _scalar(value)


def _price(price: Price) -> str:
    rates = {name: rate for name in RATES if (rate := getattr(price, name)) is not None}
    shown = ", ".join(_named_rate(name, rate) for name, rate in rates.items())
    if price.long_context is None:
        return shown
    return f"{shown}; inputs above {_short(price.long_context_above_tokens)}: {_price(price.long_context)}"


def _named_rate(name: str, rate: Decimal) -> str:
    what, _, unit = name.partition("_usd_per_")
    return f"{what} ${_rate(rate)}/{'M' if unit == 'mtok' else unit}"


def _rate(rate: Decimal | None) -> str:
    """Six digits: price maps carry the noise of their own floating point."""
    return "?" if rate is None else f"{float(rate):.6g}"


def _ability(ability: Ability) -> str:
    """With its standard error and how many benchmarks it rests on."""
    rests_on = f" ({ability.n_benchmarks})" if ability.n_benchmarks else ""
    return f"{ability.mean:+.2f}±{ability.se:.2f}{rests_on}"


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.6g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
