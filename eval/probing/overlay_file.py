"""What was found, as a catalog overlay: fields and measurements with method, count and date."""

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from .results import Fact, ProbeResult

__all__ = ["overlay_text", "write_overlay"]


def write_overlay(path: Path, model_id: str, found: Sequence[ProbeResult], *, today: date) -> None:
    """Replace the file in one step: a reader sees the old overlay or the new one."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(overlay_text(model_id, found, today=today), encoding="utf-8")
    fresh.replace(path)


def overlay_text(model_id: str, found: Sequence[ProbeResult], *, today: date) -> str:
    """TOML that `catalog.importers.overlay` reads."""
    table = f"models.{json.dumps(model_id)}"
    facts = [fact for one in found for fact in one.facts]
    fields = [fact for fact in facts if fact.field]
    ability = next((one for one in found if one.ability is not None), None)
    lines = [
        "# Written by `paretogate probe`. Name it under [catalog] overlays, or give it with --overlay.",
        f"[{table}]",
    ]
    lines += [f"{fact.name} = {fact.value!r}" for fact in fields]
    if ability is not None and ability.ability is not None:
        mean, se = ability.ability.mean, ability.ability.se
        lines.append(f"ability = {{general = {{mean = {mean:.4f}, se = {se:.4f}}}}}")
        lines += _how(table, "ability", ability.facts[0], today)
    for fact in facts:
        lines += _how(table, fact.name, fact, today)
        if not fact.field:
            lines += [f"value = {fact.value!r}", f"unit = {json.dumps(fact.unit)}"]
            lines += [f"se = {fact.se!r}"] if fact.se is not None else []
    return "\n".join(lines) + "\n"


def _how(table: str, name: str, fact: Fact, today: date) -> list[str]:
    method = json.dumps(f"paretogate probe: {fact.method}", ensure_ascii=False)
    return [f"[{table}.measured.{name}]", f"method = {method}", f"n = {max(fact.n, 1)}", f"date = {today.isoformat()}"]
