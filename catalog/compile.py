"""Build the catalog that ships, from litellm's price map and tables of public metadata and benchmark scores.

    python -m catalog.compile --data DIR

DIR holds `catalog/{models,benchmarks,routing_names}.parquet` and `routing/*/models.parquet`. Only sources whose
licence allows it are read; `SOURCES` names them. The same input gives the same bytes. The steps are in
`catalog/compilation/`; here they are put together.
"""

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from .capability.ability import estimate_abilities
from .capability.siblings import with_siblings
from .compilation.abilities import ABILITY_LEFT_OUT, ABILITY_SOURCES, best_measured, read_scores, with_ability
from .compilation.dating import with_dates, without_late_cutoff
from .compilation.from_name import with_lineage, with_tokenizer
from .compilation.hallucination import hallucination_rates, with_hallucination
from .compilation.rows import SOURCES, Row, newest_day, seen_from
from .compilation.same_weights import joined_rows, same_weights, spellings_by_key
from .compilation.selling import offers_of, sold_by_its_maker, stated_owner
from .compilation.settling import settled_profile
from .compilation.sizing import with_size
from .compilation.tables import bases_by_key, routing_rows, routing_sizes, rows_by_key, siblings_by_key
from .compilation.thinking import with_thinking
from .compiled import SHIPPED, pack
from .derived import with_derived
from .errors import ParetoGateError
from .finding import Finding
from .identity import owner_of
from .importers.litellm_prices import PriceMap, read_price_map
from .importers.overlay import read_overlay
from .profiles.merge import merge_profiles
from .profiles.offer import Offer
from .profiles.profile import Ability, ModelProfile
from .profiles.provenance import Provenance, Trust
from .updates.writing import write_compiled

__all__ = [
    "ABILITY_LEFT_OUT",
    "ABILITY_SOURCES",
    "SOURCES",
    "Compilation",
    "compile_catalog",
    "curated_profiles",
    "main",
    "read_scores",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compilation:
    """Everything a compiled catalog holds, before it is packed."""

    profiles: tuple[ModelProfile, ...]
    offers: Mapping[str, tuple[Offer, ...]]  # by profile id
    routing: Mapping[str, Mapping[str, str]]
    findings: tuple[Finding, ...] = ()  # what sources stated and was not believed


def compile_catalog(
    data: Path,
    *,
    prices: PriceMap,
    curated: Iterable[ModelProfile] = (),
    exclude: Sequence[str] = (),
    ability_sources: Sequence[str] = ABILITY_SOURCES,
) -> Compilation:
    """Join every source into one catalog.

    Args:
        data: the folder of the tables.
        prices: litellm's price map.
        curated: profiles stated by hand, above every table.
        exclude: patterns of benchmarks that abilities must not have seen, for whoever predicts these.
        ability_sources: whose scores abilities are computed from; more than the default must not ship.

    Raises:
        ImportFailedError: a table is absent.
    """
    routed = routing_rows(data)
    wanted = {row["model_key"] for row in routed}
    rows = rows_by_key(data, wanted=wanted)
    same = same_weights(rows)
    joined = joined_rows(rows, same)
    routed_keys = {(row["dataset"], row["model"]): str(same.get(row["model_key"], row["model_key"])) for row in routed}
    for key in routed_keys.values():
        joined.setdefault(key, [])
    refused: list[Finding] = []
    offers: dict[str, tuple[Offer, ...]] = {}
    ids: dict[str, str] = {}
    profiles: dict[str, ModelProfile] = {}
    sizes, spellings = routing_sizes(data), spellings_by_key(same)
    invented = hallucination_rates(data, same=same)
    for key in sorted({*joined, *(k for k in prices.offers if sold_by_its_maker(prices.offers[k]) and k not in same)}):
        found, aliases = joined.get(key, []), spellings.get(key, ())
        owner = owner_of(key) or stated_owner(found)
        if owner is None and key not in wanted:
            continue
        owner = owner or "community"
        found = seen_from(owner, found)
        sold = offers_of(key, found, prices, aliases, owner=owner)
        profile = settled_profile(key, owner, found, sold, aliases=aliases)
        profile = with_hallucination(with_dates(profile, found, refused), invented)
        profile = with_thinking(with_size(profile, found, sizes.get(key), refused))
        profiles[profile.id] = with_tokenizer(profile)
        offers[profile.id] = sold
        ids[key] = profile.id
    profiles |= _curated_over(profiles, curated)
    able = _abilities(data, profiles.values(), same=same, exclude=exclude, sources=ability_sources)
    siblings = siblings_by_key(data)
    for key, model_id in ids.items():
        told = able.get(best_measured(key, able, siblings), {})
        profiles[model_id] = with_ability(profiles[model_id], told)
    return Compilation(
        profiles=_finished(profiles, data, joined=joined),
        offers=offers,
        routing=_routing(routed_keys, ids),
        findings=tuple(refused),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Rebuild the shipped catalog."""
    parser = argparse.ArgumentParser(prog="python -m catalog.compile", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with catalog/ and routing/")
    parser.add_argument("--prices", type=Path, help="a litellm price map; default: the installed litellm's")
    parser.add_argument("--out", type=Path, default=SHIPPED, help=f"default: {SHIPPED.name} inside the package")
    parser.add_argument("--exclude", nargs="*", default=[], help="patterns of benchmarks that abilities must not see")
    args = parser.parse_args(argv)
    try:
        prices = read_price_map(args.prices)
        built = compile_catalog(args.data, prices=prices, curated=curated_profiles(), exclude=args.exclude)
        write_compiled(args.out, pack(built.profiles, offers=built.offers, routing=built.routing))
    except ParetoGateError as exc:
        sys.stderr.write(f"error: {exc}\n")
        return 1
    for finding in (*prices.findings, *built.findings):
        sys.stderr.write(f"left out: {finding}\n")
    priced = sum(profile.price is not None for profile in built.profiles)
    able = sum(bool(profile.ability) for profile in built.profiles)
    sys.stderr.write(f"{len(built.profiles)} models, {priced} priced, {able} with an ability, to {args.out}\n")
    return 0


def _abilities(
    data: Path,
    profiles: Iterable[ModelProfile],
    *,
    same: Mapping[str, str],
    exclude: Sequence[str],
    sources: Sequence[str],
) -> Mapping[str, Mapping[str, Ability]]:
    released = {p.id.partition("/")[2]: p.released for p in profiles if p.released is not None}
    scores = [replace(score, model=same.get(score.model, score.model)) for score in read_scores(data, sources=sources)]
    return estimate_abilities(scores, exclude=(*ABILITY_LEFT_OUT, *exclude), released=released)


def _curated_over(profiles: Mapping[str, ModelProfile], curated: Iterable[ModelProfile]) -> dict[str, ModelProfile]:
    """What is stated by hand, merged with what the tables say, less cutoffs that a corrected release belies."""
    merged = {p.id: merge_profiles(profiles[p.id], p) if p.id in profiles else p for p in curated}
    return {model_id: without_late_cutoff(profile) for model_id, profile in merged.items()}


def _finished(
    profiles: Mapping[str, ModelProfile], data: Path, *, joined: Mapping[str, Sequence[Row]]
) -> tuple[ModelProfile, ...]:
    """With lineages, with what siblings tell, and with all that follows from the facts."""
    bases = bases_by_key(data)
    linked = [with_lineage(profile, bases, profiles.keys()) for profile in profiles.values()]
    return with_derived(with_siblings(linked), as_of=newest_day(joined))


def _routing(keys: Mapping[tuple[str, str], str], ids: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Dataset -> model as written there -> profile id."""
    routing: dict[str, dict[str, str]] = {}
    for (dataset, model), key in keys.items():
        if key in ids:
            routing.setdefault(dataset, {})[model] = ids[key]
    return routing


def curated_profiles() -> tuple[ModelProfile, ...]:
    """What is stated by hand, each value from its maker's card or announcement."""
    card = Provenance(source="its maker's card or announcement", trust=Trust.LINKED)
    return tuple(
        replace(
            profile,
            provenance=MappingProxyType(
                {
                    name: Provenance(source="runs on the user's own machine", trust=Trust.OPERATOR)
                    if name == "price"
                    else card
                    for name in profile.provenance
                }
            ),
        )
        for profile in read_overlay(SHIPPED.parent / "curated.toml")
    )


if __name__ == "__main__":
    sys.exit(main())
