"""What differs between two catalogs: models, facts, prices, and names that now stand for something else."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

from catalog.profiles.measurement import Measurement
from catalog.profiles.price import RATES, Price
from catalog.profiles.profile import Ability, ModelProfile
from catalog.registry import Catalog

__all__ = ["CatalogDifference", "FactChange", "PriceDrift", "differences"]

_WEIGHTS = ("base_model", "params_total_b", "params_active_b", "architecture", "released", "knowledge_cutoff")
_COMPARED = tuple(
    f.name for f in fields(ModelProfile) if f.name not in {"id", "name", "provenance", "price", "derived"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FactChange:
    """One fact of one model; None where a catalog does not state it."""

    model_id: str
    field: str
    was: object
    now: object


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceDrift:
    """One list price that moved. `ratio` is new by old, None where the old one was zero."""

    model_id: str
    rate: str
    was_usd_per_mtok: float
    now_usd_per_mtok: float
    ratio: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogDifference:
    """Everything that differs, each part in the order of ids.

    `silent` are the changes that suggest other weights under a kept name: both catalogs state the fact, and it is the
    digest, or the version stayed as it was. Such a model needs a flip report before it is trusted.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[FactChange, ...]
    prices: tuple[PriceDrift, ...]
    silent: tuple[FactChange, ...]


def differences(old: Catalog, new: Catalog) -> CatalogDifference:
    """Compare two catalogs by id."""
    both = [model_id for model_id in old.ids if model_id in new]
    changed = [change for model_id in both for change in _facts(old[model_id], new[model_id])]
    same_version = {model_id for model_id in both if old[model_id].version == new[model_id].version}
    return CatalogDifference(
        added=tuple(model_id for model_id in new.ids if model_id not in old),
        removed=tuple(model_id for model_id in old.ids if model_id not in new),
        changed=tuple(changed),
        prices=tuple(drift for model_id in both for drift in _prices(old[model_id], new[model_id])),
        silent=tuple(
            change
            for change in changed
            if change.was is not None
            and change.now is not None
            and (change.field == "digest" or (change.field in _WEIGHTS and change.model_id in same_version))
        ),
    )


def _facts(old: ModelProfile, new: ModelProfile) -> list[FactChange]:
    return [
        FactChange(model_id=old.id, field=name, was=was, now=now)
        for name in _COMPARED
        if (was := _plain(getattr(old, name))) != (now := _plain(getattr(new, name)))
    ]


def _prices(old: ModelProfile, new: ModelProfile) -> list[PriceDrift]:
    if old.price is None or new.price is None:
        return []
    drifts = []
    for rate, was, now in _rates_of_both(old.price, new.price):
        if was is not None and now is not None and was != now:
            drifts.append(
                PriceDrift(
                    model_id=old.id,
                    rate=rate.removesuffix("_usd_per_mtok"),
                    was_usd_per_mtok=float(was),
                    now_usd_per_mtok=float(now),
                    ratio=float(now / was) if was else None,
                )
            )
    return drifts


def _plain(value: object) -> Any:  # noqa: ANN401 - the fields differ in kind
    if isinstance(value, Mapping):
        return {name: _plain(told) for name, told in sorted(value.items())}
    if isinstance(value, Ability):
        return value.mean, value.se, value.n_benchmarks
    if isinstance(value, Measurement):
        return value.value, value.se, value.n
    return sorted(value) if isinstance(value, frozenset) else value


def _rates_of_both(old: Price, new: Price) -> Iterator[tuple[str, Decimal | None, Decimal | None]]:
    for rate in RATES:
        yield rate, getattr(old, rate), getattr(new, rate)
    if old.long_context is not None and new.long_context is not None:
        for rate in RATES:
            yield f"long_context.{rate}", getattr(old.long_context, rate), getattr(new.long_context, rate)
