"""One file or folder of facts, whatever it is: an overlay, a leaderboard, a checkout of models.dev, model cards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from catalog.errors import ImportFailedError, UnknownModelError
from catalog.finding import Finding
from catalog.importers.overlay import read_overlay
from catalog.profiles.offer import Offer
from catalog.profiles.profile import ModelProfile
from catalog.profiles.provenance import Provenance, Trust
from catalog.registry import Catalog

__all__ = ["SourceFacts", "read_source"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFacts:
    """What a source says."""

    profiles: Sequence[ModelProfile]
    offers: Mapping[str, Sequence[Offer]] = field(default_factory=lambda: MappingProxyType({}))  # by profile id
    findings: Sequence[Finding] = ()
    unevaluated: frozenset[str] = frozenset()  # ids of models whose card has no evaluation section


def read_source(path: Path, *, known: Catalog, mapping: Path | None = None) -> SourceFacts:
    """Read a source by what it is.

    Args:
        path: a file or a folder.
        known: the catalog that it will be merged into; a leaderboard is placed on its scale.
        mapping: what the columns of a leaderboard mean; a file without one is an overlay.

    Raises:
        ImportFailedError, InvalidOverlayError: it cannot be read at all.
    """
    if mapping is not None:
        return _leaderboard(path, mapping, known)
    if not path.is_dir():
        if path.suffix in {".csv", ".json"}:
            raise ImportFailedError(source=str(path), problem="is a table; say what its columns mean with --mapping")
        return SourceFacts(profiles=read_overlay(path))
    if (path / "providers").is_dir():
        from catalog.importers.models_dev import read_models_dev  # noqa: PLC0415 - each importer is paid for by its users

        listed = read_models_dev(path)
        return SourceFacts(profiles=listed.profiles, offers=listed.offers, findings=listed.findings)
    from catalog.importers.model_cards import read_cards  # noqa: PLC0415

    told = read_cards(path)
    return SourceFacts(
        profiles=tuple(card.profile for card in told.cards),
        findings=told.findings,
        unevaluated=frozenset(card.profile.id for card in told.cards if not card.has_evaluation),
    )


def _leaderboard(path: Path, mapping: Path, known: Catalog) -> SourceFacts:
    from catalog.capability.placement import place_models  # noqa: PLC0415
    from catalog.importers.leaderboard import read_leaderboard, read_mapping  # noqa: PLC0415

    told = read_mapping(mapping)
    board = read_leaderboard(path, told)
    ids: dict[str, str] = {}
    findings = list(board.findings)
    for model in dict.fromkeys(fact.model for fact in board.facts):
        try:
            ids[model] = known.resolve(model).id
        except UnknownModelError as exc:
            findings.append(Finding(file=path.name, entry=model, field=told.model_column, problem=str(exc)))
    abilities = {p.id: p.ability for p in known if p.has_measured_ability}
    placed = place_models(board.facts, ids=ids, known=abilities, axes=told.axes)
    findings.extend(
        Finding(file=path.name, entry=model, field="(score)", problem=problem)
        for model, problem in placed.strange.items()
    )
    findings.extend(
        Finding(file=path.name, entry=benchmark, field="(benchmark)", problem=reason)
        for benchmark, reason in placed.unused.items()
    )
    source = Provenance(source=f"placed by {told.source}", trust=Trust.INFERRED, recorded=told.recorded)
    profiles = []
    for model_id, of_model in placed.abilities.items():
        before = abilities.get(model_id, {})
        surer = {axis: a for axis, a in of_model.items() if axis not in before or a.se < before[axis].se}
        if surer:
            profiles.append(
                ModelProfile(
                    id=model_id,
                    name=known[model_id].name,
                    ability=MappingProxyType(surer),
                    provenance=MappingProxyType({f"ability.{axis}": source for axis in surer}),
                )
            )
    return SourceFacts(profiles=profiles, findings=findings)
