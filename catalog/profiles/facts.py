"""Profiles and offers as plain JSON: what a terminal's `--json`, the dashboard and scripts read."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import date
from decimal import Decimal
from typing import Any

from .measurement import Measurement
from .offer import Offer
from .price import Price
from .profile import Ability, ModelProfile

__all__ = ["facts", "offer_facts", "plain", "source_facts"]

_NAMES = tuple(f.name for f in fields(ModelProfile) if f.name not in {"id", "provenance", "derived"})


def facts(profile: ModelProfile) -> dict[str, Any]:
    """Every known fact of a model, ready for JSON; unknown ones are left out."""
    told = {name: plain(getattr(profile, name)) for name in _NAMES}
    return {"id": profile.id} | {name: value for name, value in told.items() if value not in (None, [], {})}


def source_facts(profile: ModelProfile) -> dict[str, dict[str, Any]]:
    """Where each fact comes from: field -> {source, trust, recorded}."""
    return {
        name: {
            "source": told.source,
            "trust": told.trust.name.lower(),
            "recorded": told.recorded.isoformat() if told.recorded else None,
        }
        for name, told in profile.provenance.items()
    }


def offer_facts(offer: Offer) -> dict[str, Any]:
    """Every known fact of an offer, ready for JSON."""
    told = {f.name: plain(getattr(offer, f.name)) for f in fields(Offer)}
    return {name: value for name, value in told.items() if value not in (None, [], {}, "")}


def plain(value: object) -> Any:  # noqa: ANN401 - JSON
    """A value as JSON has it: money as numbers, days as text, sets sorted."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, frozenset | tuple):
        return sorted(value)
    if isinstance(value, Price | Ability | Measurement):
        told = {f.name: plain(getattr(value, f.name)) for f in fields(value)}
        return {name: rate for name, rate in told.items() if rate is not None}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return value
