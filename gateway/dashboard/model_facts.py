"""What the page of models shows, as JSON: one short row per model, and everything about one of them."""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any

from catalog import Catalog, ModelProfile
from catalog.derived import neighbours, plateau_advice
from catalog.profiles.facts import facts, offer_facts, source_facts

__all__ = ["COLUMNS", "model_rows", "whole_model"]

COLUMNS = (
    "id", "name", "ability", "ability_se", "price_in", "price_out", "params_b", "active_b", "released", "context",
    "license", "open", "energy_wh_per_mtok", "energy_class", "flops_per_token", "served",
    "measured",
)  # fmt: skip


def model_rows(catalog: Catalog, *, served: Collection[str]) -> dict[str, Any]:
    """Every chat model as a row under `columns`: names once, values by position, unknown ones null."""
    rows = [_row(profile, served) for profile in catalog.match(["all"])]
    return {"version": catalog.version, "columns": COLUMNS, "rows": rows}


def whole_model(catalog: Catalog, model: str, *, served: Collection[str]) -> dict[str, Any]:
    """Every fact of one model with its source, what follows from them, who sells it, and its kin.

    Raises:
        UnknownModelError: nobody goes by that name.
    """
    profile = catalog.resolve(model)
    everybody = tuple(catalog)
    return {
        "facts": facts(profile),
        "sources": source_facts(profile),
        "derived": [asdict(fact) for fact in profile.derived.values()],
        "axes": _axes(profile, everybody),
        "offers": [offer_facts(offer) for offer in catalog.offers(profile.id)],
        "served": profile.id in served,
        "advice": plateau_advice(profile, everybody),
        "neighbours": [other.id for other in neighbours(profile, everybody) if other is not None],
        "lineage": list(catalog.lineage(profile.id)),
    }


def _axes(profile: ModelProfile, everybody: Sequence[ModelProfile]) -> list[dict[str, Any]]:
    """Each ability with the range of the whole catalog, and the share of models that it is at least as able as."""
    told = []
    for axis, ability in sorted(profile.ability.items(), key=lambda item: (item[0] != "general", item[0])):
        means = [other.ability[axis].mean for other in everybody if axis in other.ability]
        told.append(
            {
                "axis": axis,
                "mean": round(ability.mean, 3),
                "se": round(ability.se, 3),
                "n_benchmarks": ability.n_benchmarks,
                "lowest": round(min(means), 3),
                "highest": round(max(means), 3),
                "percentile": round(100 * sum(mean <= ability.mean for mean in means) / len(means)),
                "of": len(means),
            }
        )
    return told


def _row(profile: ModelProfile, served: Collection[str]) -> list[Any]:
    general, price, derived = profile.ability.get("general"), profile.price, profile.derived
    return [
        profile.id,
        profile.name,
        round(general.mean, 3) if general else None,
        round(general.se, 3) if general else None,
        float(price.input_usd_per_mtok) if price else None,
        float(price.output_usd_per_mtok) if price else None,
        profile.params_total_b,
        profile.params_active_b or profile.params_total_b,
        profile.released.isoformat() if profile.released else None,
        profile.context_tokens,
        profile.license,
        profile.open_weights,
        profile.energy_wh_per_mtok,
        "ABCDE"[round(derived["energy_class"].value) - 1] if "energy_class" in derived else None,
        derived["flops_per_token"].value if "flops_per_token" in derived else None,
        profile.id in served,
        profile.has_measured_ability,
    ]
