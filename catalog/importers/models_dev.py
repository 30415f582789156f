"""A directory of models.dev: `providers/PROVIDER/models/**/*.toml`, one file per model as one provider sells it.

Facts of the model itself (dates, open weights, modalities) come from its maker's entry where there is one, else from
the first host's. Every file is an offer. A broken file or field is a finding; the rest is still read.

Source of the format: anomalyco/models.dev, MIT licence.
"""

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

from catalog.errors import ImportFailedError, InvalidPriceError
from catalog.finding import Finding
from catalog.identity import model_key, owner_of
from catalog.profiles.list_price import MAKERS
from catalog.profiles.offer import Offer
from catalog.profiles.price import MOST_TOKENS, Price
from catalog.profiles.profile import ModelProfile
from catalog.profiles.provenance import Provenance, Trust
from catalog.untrusted.regular_files import read_text

__all__ = ["ModelsDev", "read_models_dev"]

SOURCE = "models.dev"
_SPELLED_OTHERWISE = {"alibaba": "qwen", "llama": "meta-llama"}  # makers whose provider bears another name
_FLAGS = {"tool_call": "tools", "reasoning": "reasoning", "structured_output": "json_schema"}
_RATES = {
    "input_usd_per_mtok": "input",
    "output_usd_per_mtok": "output",
    "cached_input_usd_per_mtok": "cache_read",
    "cache_write_usd_per_mtok": "cache_write",
    "reasoning_usd_per_mtok": "reasoning",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsDev:
    """What the directory says."""

    profiles: tuple[ModelProfile, ...]  # in the order of their ids
    offers: Mapping[str, tuple[Offer, ...]]  # by profile id
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    profile: ModelProfile
    offer: Offer
    by_maker: bool


def read_models_dev(root: Path, *, recorded: date | None = None) -> ModelsDev:
    """Read every model file below `root`.

    Args:
        root: the repository, or its `providers` folder.
        recorded: when the repository was taken.

    Raises:
        ImportFailedError: there is no folder of providers.
    """
    providers = root / "providers" if (root / "providers").is_dir() else root
    files = sorted(providers.glob("*/models/**/*.toml"))
    if not files:
        raise ImportFailedError(source=str(root), problem="holds no providers/*/models/*.toml of models.dev")
    findings: list[Finding] = []
    entries: dict[str, list[_Entry]] = {}
    for path in files:
        entry = _read(path, providers, findings, recorded=recorded)
        if entry is not None:
            entries.setdefault(entry.profile.id, []).append(entry)
    profiles = {
        model_id: min(found, key=lambda e: (not e.by_maker, e.offer.provider)).profile
        for model_id, found in sorted(entries.items())
    }
    return ModelsDev(
        profiles=tuple(profiles.values()),
        offers={model_id: tuple(entry.offer for entry in entries[model_id]) for model_id in profiles},
        findings=tuple(findings),
    )


def _read(path: Path, providers: Path, findings: list[Finding], *, recorded: date | None) -> _Entry | None:
    parts = path.relative_to(providers).with_suffix("").parts
    provider, name = parts[0], "/".join(parts[2:])
    file = "/".join(path.relative_to(providers).parts)
    fields = _Fields(file, name, findings)
    try:
        document = tomllib.loads(read_text(path))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as exc:
        fields.bad("(file)", f"cannot be read: {exc!s:.120}")
        return None
    key = model_key(name)
    if not key:
        fields.bad("(name)", "names no model")
        return None
    return _entry(document, fields, provider=provider, name=name, key=key, recorded=recorded)


def _entry(
    document: Mapping[str, Any], fields: "_Fields", *, provider: str, name: str, key: str, recorded: date | None
) -> _Entry:
    owner = owner_of(key) or provider
    limit, modalities = fields.table(document, "limit"), fields.table(document, "modalities")
    price = _price(fields.table(document, "cost"), fields)
    takes, gives = fields.get(modalities, "input", _words), fields.get(modalities, "output", _words)
    can = {ours for theirs, ours in _FLAGS.items() if fields.get(document, theirs, _flag)}
    can |= {"vision"} if "image" in (takes or ()) else set()
    can |= {"audio"} if "audio" in (takes or ()) else set()
    by_maker = provider in {owner, *MAKERS.get(owner, ())} or _SPELLED_OTHERWISE.get(provider) == owner
    facts: dict[str, Any] = {
        "released": fields.get(document, "release_date", _day),
        "knowledge_cutoff": fields.get(document, "knowledge", _day),
        "open_weights": fields.get(document, "open_weights", _flag),
        "context_tokens": fields.get(limit, "context", _count),
        "max_output_tokens": fields.get(limit, "output", _count),
        "modalities_in": takes,
        "modalities_out": gives,
        "capabilities": frozenset({"streaming", *can}),
        "price": price if by_maker else None,
    }
    stated = {field: value for field, value in facts.items() if value is not None}
    trust = Trust.LINKED if by_maker else Trust.SELF_REPORTED
    source = Provenance(source=f"{SOURCE}: {provider}", trust=trust, recorded=recorded)
    profile = ModelProfile(
        id=f"{owner}/{key}",
        name=fields.get(document, "name", _text) or key,
        provenance=MappingProxyType(dict.fromkeys(stated, source)),
        **stated,
    )
    offer = Offer(
        profile_id=profile.id,
        provider=provider,
        model_name=name,
        price=price,
        context_tokens=profile.context_tokens,
        max_output_tokens=profile.max_output_tokens,
        capabilities=profile.capabilities,
        source=SOURCE,
    )
    if document.get("status") == "deprecated" and recorded is not None:
        offer = replace(offer, retires=recorded)
    return _Entry(profile=profile, offer=offer, by_maker=by_maker)


class _Fields:
    """Reads the fields of one file; what is wrong becomes a finding and counts as not stated."""

    def __init__(self, file: str, entry: str, findings: list[Finding]) -> None:
        self._file, self._entry, self._findings = file, entry, findings

    def bad(self, field: str, problem: str) -> None:
        self._findings.append(Finding(file=self._file, entry=self._entry, field=field, problem=problem))

    def table(self, document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        value = document.get(name, {})
        if isinstance(value, dict):
            return value
        self.bad(name, "must be a table")
        return {}

    def get(self, document: Mapping[str, Any], name: str, read: Callable[[object], Any]) -> Any:  # noqa: ANN401
        value = document.get(name)
        if value is None:
            return None
        try:
            return read(value)
        except (TypeError, ValueError) as exc:
            self.bad(name, str(exc))
            return None


def _price(cost: Mapping[str, Any], fields: _Fields) -> Price | None:
    rates = {ours: fields.get(cost, theirs, _rate) for ours, theirs in _RATES.items()}
    given, asked = rates["input_usd_per_mtok"], rates["output_usd_per_mtok"]
    if given is None or asked is None or (given == 0 and asked == 0):
        return None  # zero means a subscription or not stated, hardly ever free
    try:
        return Price(**{name: rate for name, rate in rates.items() if rate is not None})
    except InvalidPriceError as exc:
        fields.bad("cost", str(exc))
        return None


def _rate(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1_000_000:
        raise ValueError(f"must be US dollars per million tokens, not {value!r:.40}")
    return Decimal(str(value))


def _count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_TOKENS:
        raise ValueError(f"must be a whole number, not {value!r:.40}")
    return value or None


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"must be true or false, not {value!r:.40}")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"must be a text, not {value!r:.40}")
    return value


def _words(value: object) -> frozenset[str] | None:
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise TypeError(f"must be a list of words, not {value!r:.40}")
    return frozenset(value) or None


def _day(value: object) -> date:
    """A date, or a month or year standing for its first day."""
    if type(value) is date:
        return value
    found = re.fullmatch(r"(\d{4})(?:-(\d\d))?(?:-(\d\d))?", value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"must be a date like 2026-05-01 or 2026-05, not {value!r:.40}")
    year, month, day = (int(part or 1) for part in found.groups())
    return date(year, month, day)
