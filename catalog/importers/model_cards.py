"""Hugging Face model cards and configurations from a directory: `owner/name/README.md` and `config.json` beside it.

Nothing in a card can stop the import: what is broken becomes a finding that names file and field, and the rest of
the card is still read. The `model-index` is read by huggingface_hub's own reader where that is installed (it comes
with `tokenizers`).
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from catalog.efficiency.configuration import shape_of
from catalog.efficiency.emissions import Emissions, ReportingClass, reporting_class
from catalog.efficiency.flops import flops_per_token
from catalog.errors import ImportFailedError, InvalidProfileError
from catalog.finding import Finding
from catalog.profiles.benchmark_fact import BenchmarkFact
from catalog.profiles.profile import ModelProfile
from catalog.profiles.provenance import Provenance, Trust
from catalog.untrusted.regular_files import read_file

from .card_sections import completeness, filled_sections

__all__ = ["Cards", "ModelCard", "read_card", "read_cards"]

_MOST_BYTES = 2_000_000
_FRONT = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_SPDX = MappingProxyType(
    {
        "apache-2.0": "Apache-2.0", "mit": "MIT", "cc-by-4.0": "CC-BY-4.0", "cc-by-nc-4.0": "CC-BY-NC-4.0",
        "cc-by-sa-4.0": "CC-BY-SA-4.0", "bsd-3-clause": "BSD-3-Clause", "gpl-3.0": "GPL-3.0", "gemma": "Gemma",
        "agpl-3.0": "AGPL-3.0", "llama2": "Llama-2", "llama3": "Llama-3", "llama3.1": "Llama-3.1",
        "llama3.2": "Llama-3.2", "llama3.3": "Llama-3.3", "llama4": "Llama-4", "openrail": "OpenRAIL",
        "bigscience-bloom-rail-1.0": "BigScience-BLOOM-RAIL-1.0", "cc0-1.0": "CC0-1.0", "unlicense": "Unlicense",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """What one repository tells of its model."""

    profile: ModelProfile
    benchmarks: tuple[BenchmarkFact, ...]
    emissions: Emissions | None
    reporting: ReportingClass
    flops_per_token: float | None  # derived from config.json
    completeness: float  # 0 to 1
    has_evaluation: bool  # without it, the model's uncertainty should be widened
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cards:
    """Every card of a directory."""

    cards: tuple[ModelCard, ...]
    findings: tuple[Finding, ...]


def read_cards(root: Path) -> Cards:
    """Read every `owner/name` folder below `root` that holds a README.md or a config.json.

    Raises:
        ImportFailedError: `root` is no directory.
    """
    if not root.is_dir():
        raise ImportFailedError(source=str(root), problem="is not a directory")
    folders = sorted({path.parent for name in ("README.md", "config.json") for path in root.glob(f"*/*/{name}")})
    cards: list[ModelCard] = []
    findings: list[Finding] = []
    for folder in folders:
        model_id = f"{folder.parent.name}/{folder.name}".casefold()
        if model_id != model_id.strip():
            problem = "a folder's name must not begin or end with a space"
            findings.append(Finding(file=str(folder.name), entry=model_id, field="(name)", problem=problem))
            continue
        card = read_card(
            model_id, text=_text(folder / "README.md", findings), config=_text(folder / "config.json", findings)
        )
        findings.extend(card.findings)
        cards.append(card)
    return Cards(cards=tuple(cards), findings=tuple(findings))


def read_card(model_id: str, *, text: str | None, config: str | None = None) -> ModelCard:
    """Read one card from the text of its README.md and config.json; either may be absent, broken or hostile."""
    found = _Findings(model_id)
    front = _front_matter(text or "", found)
    shape = _config(config, found)
    filled = filled_sections(text or "")
    emissions = _emissions(front.get("co2_eq_emissions"), found)
    benchmarks = _benchmarks(front.get("model-index"), model_id, found)
    if benchmarks:
        filled |= {"evaluation"}
    profile = _documented(
        _profile(model_id, front, _parsed(config), found), filled=filled, reporting=reporting_class(emissions)
    )
    return ModelCard(
        profile=profile,
        benchmarks=benchmarks,
        emissions=emissions,
        reporting=reporting_class(emissions),
        flops_per_token=shape,
        completeness=completeness(filled),
        has_evaluation="evaluation" in filled,
        findings=tuple(found.rows),
    )


class _Findings:
    def __init__(self, entry: str) -> None:
        self.entry, self.rows = entry, list[Finding]()

    def add(self, file: str, field: str, problem: str) -> None:
        self.rows.append(Finding(file=file, entry=self.entry, field=field, problem=problem))


def _text(path: Path, findings: list[Finding]) -> str | None:
    entry = f"{path.parent.parent.name}/{path.parent.name}".casefold()
    try:
        if not path.is_file():
            return None
        if path.stat().st_size > _MOST_BYTES:
            problem = f"larger than {_MOST_BYTES} bytes"
            findings.append(Finding(file=path.name, entry=entry, field="(file)", problem=problem))
            return None
        return read_file(path).decode("utf-8", errors="replace")
    except OSError as exc:
        problem = exc.strerror or "cannot be read"
        findings.append(Finding(file=path.name, entry=entry, field="(file)", problem=problem))
        return None


def _front_matter(text: str, found: _Findings) -> Mapping[str, Any]:
    match = _FRONT.match(text)
    if match is None:
        return {}
    import yaml  # noqa: PLC0415 - only cards and overlays in YAML pay for it

    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(match[1], Loader=yaml.SafeLoader)):
            found.add("README.md", "(front matter)", "aliases are not read: they can stand for more than memory holds")
            return {}
        front = yaml.safe_load(match[1])
    except (yaml.YAMLError, RecursionError, ValueError, TypeError, OverflowError, AttributeError, KeyError) as exc:
        found.add("README.md", "(front matter)", f"is not YAML: {str(exc).splitlines()[0]:.120}")
        return {}
    if front is not None and not isinstance(front, dict):
        found.add("README.md", "(front matter)", "must be a mapping")
    return front if isinstance(front, dict) else {}


def _parsed(config: str | None) -> Mapping[str, Any]:
    try:
        document = json.loads(config or "{}")
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _config(config: str | None, found: _Findings) -> float | None:
    if config is None:
        return None
    document = _parsed(config)
    if not document:
        found.add("config.json", "(file)", "is not a JSON object")
        return None
    try:
        return flops_per_token(shape_of(document))
    except InvalidProfileError as exc:
        found.add("config.json", str(exc).split(maxsplit=1)[0], str(exc))
        return None


def _profile(model_id: str, front: Mapping[str, Any], config: Mapping[str, Any], found: _Findings) -> ModelProfile:
    facts: dict[str, Any] = {
        "license": _license(front, found),
        "base_model": _base(front.get("base_model"), found),
        "architecture": config["model_type"] if isinstance(config.get("model_type"), str) else None,
        "context_tokens": _context(config, found),
    }
    stated = {name: value for name, value in facts.items() if value}
    source = Provenance(source="model card", trust=Trust.SELF_REPORTED)
    return ModelProfile(
        id=model_id,
        name=model_id.partition("/")[2],
        open_weights=True,
        provenance=MappingProxyType(dict.fromkeys((*stated, "open_weights"), source)),
        **stated,
    )


def _documented(profile: ModelProfile, *, filled: frozenset[str], reporting: ReportingClass) -> ModelProfile:
    """The profile with what its card tells of itself: counted by us, so inferred."""
    source = Provenance(source="sections of the model card", trust=Trust.INFERRED)
    return replace(
        profile,
        documentation=round(completeness(filled), 3),
        carbon_reporting=reporting,
        provenance=MappingProxyType({**profile.provenance, "documentation": source, "carbon_reporting": source}),
    )


def _license(front: Mapping[str, Any], found: _Findings) -> str | None:
    told = front.get("license")
    if isinstance(told, list) and len(told) == 1:
        told = told[0]
    if told is None:
        return None
    if not isinstance(told, str):
        found.add("README.md", "license", f"must be one identifier, not {told!r:.40}")
        return None
    name = front.get("license_name")
    if told.casefold() == "other" and isinstance(name, str):
        told = name
    return _SPDX.get(told.strip().casefold(), told.strip()[:80])


def _base(told: object, found: _Findings) -> str | None:
    first = told[0] if isinstance(told, list) and told else told
    if first is None or first == []:
        return None
    if not isinstance(first, str) or "/" not in first:
        found.add("README.md", "base_model", f"must have the form owner/name, not {first!r:.40}")
        return None
    return first.strip().casefold()[:200]


def _context(config: Mapping[str, Any], found: _Findings) -> int | None:
    nested = config.get("text_config")
    for told in (config, nested if isinstance(nested, dict) else {}):
        for name in ("max_position_embeddings", "n_positions", "max_sequence_length"):
            value = told.get(name)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 1_000_000_000:
                found.add("config.json", name, f"must be a whole number above zero, not {value!r:.40}")
                continue
            return value
    return None


def _emissions(told: object, found: _Findings) -> Emissions | None:
    if told is None:
        return None
    fields = told if isinstance(told, dict) else {"emissions": told}
    grams = _number(fields.get("emissions"))
    if grams is None or grams < 0:
        found.add("README.md", "co2_eq_emissions", f"must be grams of CO2e, not {fields.get('emissions')!r:.40}")
        return None
    names = {"source": "source", "training_type": "training_type", "location": "geographical_location"}
    texts = {ours: fields.get(theirs) for ours, theirs in (names | {"hardware": "hardware_used"}).items()}
    return Emissions(
        grams=grams, **{name: text[:200] for name, text in texts.items() if isinstance(text, str) and text.strip()}
    )


def _benchmarks(told: object, model_id: str, found: _Findings) -> tuple[BenchmarkFact, ...]:
    if told is None:
        return ()
    if not isinstance(told, list):
        found.add("README.md", "model-index", "must be a list")
        return ()
    facts: list[BenchmarkFact] = []
    for i, entry in enumerate(told):
        results = entry.get("results") if isinstance(entry, dict) else None
        if not isinstance(results, list):
            found.add("README.md", f"model-index[{i}].results", "must be a list")
            continue
        for k, result in enumerate(results):
            facts.extend(_results(result, f"model-index[{i}].results[{k}]", model_id, found))
    return tuple(facts)


def _results(result: object, field: str, model_id: str, found: _Findings) -> list[BenchmarkFact]:
    from huggingface_hub.repocard_data import model_index_to_eval_results  # noqa: PLC0415 - only cards pay for it

    try:
        _, told = model_index_to_eval_results([{"name": model_id, "results": [result]}])
    except (KeyError, TypeError, AttributeError, ValueError) as exc:
        found.add("README.md", field, f"is no evaluation result: {type(exc).__name__} {exc!s:.80}")
        return []
    facts: list[BenchmarkFact] = []
    for at, row in enumerate(told):
        value = _number(row.metric_value)
        if value is None or not isinstance(row.dataset_name, str) or not isinstance(row.metric_type, str):
            problem = "needs a dataset's name, a metric's type and a number for its value"
            found.add("README.md", f"{field}.metrics[{at}]", problem)
            continue
        url = row.source_url if isinstance(row.source_url, str) else None
        trust = Trust.VERIFIED if row.verified is True else Trust.LINKED if url else Trust.SELF_REPORTED
        facts.append(
            BenchmarkFact(
                model=model_id,
                benchmark=row.dataset_name,
                metric=row.metric_type,
                value=value,
                setting=row.dataset_config if isinstance(row.dataset_config, str) else None,
                url=url,
                provenance=Provenance(source="model card: model-index", trust=trust),
            )
        )
    return facts


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
