"""How large a model is: settled between what its rows state, what routing data state and what its name tells."""

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType

from catalog.finding import Finding
from catalog.profiles.profile import ModelProfile
from catalog.profiles.provenance import Provenance, Trust
from catalog.structure.sizes import NamedSize, settled_size

from .rows import Row, is_hosts, positive, source_of

__all__ = ["with_size"]


def with_size(
    profile: ModelProfile, rows: Sequence[Row], params_b: float | None, refused: list[Finding]
) -> ModelProfile:
    """The profile with a settled size; what sources stated and was not believed becomes a finding."""
    stated = [row for row in rows if row["params_source"] == "source" and not is_hosts(row)]
    total = [(size, source_of(row)) for row in stated if (size := positive(row["params_total_b"]))]
    if params_b is not None:
        total.append((params_b, Provenance(source="routing data: models table", trust=Trust.SELF_REPORTED)))
    active = [(size, source_of(row)) for row in stated if (size := positive(row["params_active_b"]))]
    key = profile.id.partition("/")[2]
    settled = settled_size(key, total=total, active=active, read_elsewhere=_read_off(rows))
    problem = (
        f"; taken as {settled.total_b:g}B, {settled.total_from.source}"
        if settled.total_b and settled.total_from
        else ""
    )
    refused.extend(
        Finding(file="models.parquet", entry=profile.id, field="params_total_b", problem=claim + problem)
        for claim in dict.fromkeys(settled.refused)
    )
    sources = {"params_total_b": settled.total_from, "params_active_b": settled.active_from}
    known = {name: source for name, source in sources.items() if source is not None}
    return replace(
        profile,
        params_total_b=settled.total_b,
        params_active_b=settled.active_b,
        provenance=MappingProxyType({**profile.provenance, **known}),
    )


def _read_off(rows: Sequence[Row]) -> NamedSize | None:
    """The size that whoever made the table read off the model's name there."""
    read = [row for row in rows if row["params_source"] == "name"]
    total = next((size for row in read if (size := positive(row["params_total_b"]))), None)
    active = next((size for row in read if (size := positive(row["params_active_b"]))), None)
    return NamedSize(total_b=total, active_b=active) if total or active else None
