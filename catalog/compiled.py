"""The form in which the catalog ships: one JSON document whose profiles are built only when somebody asks for them.

Parsing 2,000 profiles takes some 15 ms; building them all takes three times as long, and most processes touch a
few dozen. So a record stays a plain dictionary until it is wanted. Sources are listed once and named by position.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import orjson

from .errors import ImportFailedError
from .profiles.derived_fact import DerivedFact
from .profiles.measurement import Measurement
from .profiles.offer import Offer
from .profiles.price import RATES, Price
from .profiles.profile import Ability, ModelProfile
from .profiles.provenance import Provenance, Trust
from .untrusted.regular_files import read_file

__all__ = ["SHIPPED", "Compiled", "is_compiled", "pack", "read_compiled"]

SHIPPED = Path(__file__).parent / "data" / "catalog.json"
_SCHEMA = 1
_DAMAGE = (KeyError, TypeError, ValueError, AttributeError, IndexError, ArithmeticError)
_START = b'{"schema":'
_PLAIN = (
    "family",
    "base_model",
    "version",
    "digest",
    "snapshot_of",
    "params_total_b",
    "params_active_b",
    "architecture",
    "tokenizer",
    "license",
    "open_weights",
    "context_tokens",
    "max_output_tokens",
    "output_tokens_mean",
    "tokens_per_char",
    "ttft_s",
    "tokens_per_s",
    "energy_wh_per_mtok",
    "readability",
    "risk_cvar95",
    "agent_risk",
    "harm",
    "bias",
    "hallucination_rate",
    "documentation",
    "carbon_reporting",
)
_DATES = ("released", "knowledge_cutoff")
_SETS = ("modalities_in", "modalities_out", "capabilities")
_DEFAULT_SETS = {"modalities_in": ["text"], "modalities_out": ["text"], "capabilities": ["streaming"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A parsed catalog whose records are still plain dictionaries."""

    records: Mapping[str, dict[str, Any]]  # id -> record
    sources: tuple[Provenance, ...]
    routing: Mapping[str, Mapping[str, str]]  # dataset -> model as written there -> id
    version: str
    methods: tuple[tuple[str, str, str], ...] = ()  # of derived facts: name, unit, method

    def profile(self, model_id: str) -> ModelProfile:
        """Build one profile.

        Raises:
            ImportFailedError: its record is damaged.
        """
        try:
            return _profile(self.records[model_id], self.sources, self.methods)
        except _DAMAGE as exc:
            raise _damaged(model_id, exc) from exc

    def offers(self, model_id: str) -> tuple[Offer, ...]:
        """What providers ask for it.

        Raises:
            ImportFailedError: its record is damaged.
        """
        try:
            rows = self.records[model_id].get("offers", ())
            return tuple(_offer(model_id, row, self.sources) for row in rows)
        except _DAMAGE as exc:
            raise _damaged(model_id, exc) from exc


def read_compiled(path: Path) -> Compiled:
    """Parse a compiled catalog.

    Raises:
        ImportFailedError: the file is absent, is not a compiled catalog, or was written by another version.
    """
    try:
        raw = read_file(path)
        document = orjson.loads(raw)
        if document["schema"] != _SCHEMA:
            raise ImportFailedError(
                source=str(path), problem=f"schema {document['schema']}, this version reads {_SCHEMA}"
            )
        return Compiled(
            records={_id(record): record for record in document["profiles"]},
            sources=tuple(
                Provenance(source=s["source"], trust=Trust[s["trust"]], recorded=_date(s.get("recorded")))
                for s in document["sources"]
            ),
            routing=document["routing"],
            methods=tuple((name, unit, method) for name, unit, method in document.get("methods", ())),
            version=hashlib.sha256(raw).hexdigest()[:12],
        )
    except OSError as exc:
        raise ImportFailedError(source=str(path), problem=exc.strerror or "cannot be read") from exc
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError) as exc:
        problem = f"not a compiled catalog ({exc}); rebuild it with `python -m catalog.compile`"
        raise ImportFailedError(source=str(path), problem=problem) from exc


def _id(record: dict[str, Any]) -> str:
    if not isinstance(record["id"], str):
        raise TypeError(f"an id must be a text, not {record['id']!r:.40}")
    return record["id"]


def _damaged(model_id: str, exc: Exception) -> ImportFailedError:
    problem = f"{model_id}: its record is damaged ({exc!s:.80}); rebuild it with `python -m catalog.compile`"
    return ImportFailedError(source="the compiled catalog", problem=problem)


def is_compiled(path: Path) -> bool:
    """Whether a file begins as a compiled catalog does; False where it cannot be read."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as start:
            return start.read(len(_START)) == _START
    except OSError:
        return False


def pack(
    profiles: Iterable[ModelProfile],
    *,
    offers: Mapping[str, Sequence[Offer]],
    routing: Mapping[str, Mapping[str, str]],
) -> bytes:
    """The compiled form, one record a line in the order of their ids: the same input gives the same bytes."""
    sources: dict[Provenance, int] = {}
    methods: dict[tuple[str, str, str], int] = {}
    records = [
        _record(profile, offers.get(profile.id, ()), sources, methods)
        for profile in sorted(profiles, key=lambda p: p.id)
    ]
    head = {
        "schema": _SCHEMA,
        "sources": [
            {"source": s.source, "trust": s.trust.name, **({"recorded": s.recorded.isoformat()} if s.recorded else {})}
            for s in sources
        ],
        "methods": list(methods),
        "routing": {dataset: dict(sorted(names.items())) for dataset, names in sorted(routing.items())},
    }
    lines = b",\n".join(orjson.dumps(record) for record in records)
    return orjson.dumps(head)[:-1] + b',"profiles":[\n' + lines + b"\n]}\n"


def _record(
    profile: ModelProfile,
    offers: Sequence[Offer],
    sources: dict[Provenance, int],
    methods: dict[tuple[str, str, str], int],
) -> dict[str, Any]:
    record: dict[str, Any] = {"id": profile.id, "name": profile.name}
    if profile.aliases:
        record["aliases"] = list(profile.aliases)
    record |= {name: getattr(profile, name) for name in _PLAIN if getattr(profile, name) is not None}
    record |= {name: getattr(profile, name).isoformat() for name in _DATES if getattr(profile, name) is not None}
    for name in _SETS:
        values = sorted(getattr(profile, name))
        if values != _DEFAULT_SETS[name]:
            record[name] = values
    if profile.price is not None:
        record["price"] = _rates(profile.price)
    if profile.ability:
        record["ability"] = {
            axis: [round(a.mean, 4), round(a.se, 4), a.n_benchmarks] for axis, a in sorted(profile.ability.items())
        }
    if profile.provenance:
        record["from"] = {
            name: sources.setdefault(source, len(sources)) for name, source in sorted(profile.provenance.items())
        }
    if profile.measured:
        record["measured"] = [_measured_record(found) for _, found in sorted(profile.measured.items())]
    if profile.derived:
        record["derived"] = [_derived_record(fact, methods) for _, fact in sorted(profile.derived.items())]
    if offers:
        record["offers"] = [_offer_record(offer, sources) for offer in offers]
    return record


def _measured_record(found: Measurement) -> dict[str, Any]:
    row = {"name": found.name, "value": found.value, "unit": found.unit, "method": found.method, "n": found.n}
    return row | {"on": found.measured.isoformat()} | ({} if found.se is None else {"se": found.se})


def _derived_record(fact: DerivedFact, methods: dict[tuple[str, str, str], int]) -> list[float]:
    row = [methods.setdefault((fact.name, fact.unit, fact.method), len(methods)), float(f"{fact.value:.4g}")]
    return row if fact.factor is None else [*row, float(f"{fact.factor:.3g}")]


def _offer_record(offer: Offer, sources: dict[Provenance, int]) -> dict[str, Any]:
    row: dict[str, Any] = {"provider": offer.provider, "model": offer.model_name}
    if offer.price is not None:
        row["price"] = _rates(offer.price)
    if offer.batch_price is not None:
        row["batch"] = _rates(offer.batch_price)
    counts = {"context": offer.context_tokens, "max_output": offer.max_output_tokens}
    row |= {key: value for key, value in counts.items() if value is not None}
    if offer.capabilities != frozenset({"streaming"}):
        row["can"] = sorted(offer.capabilities)
    if offer.only_responses:
        row["only_responses"] = True
    if offer.retires is not None:
        row["retires"] = offer.retires.isoformat()
    if offer.source:
        source = Provenance(source=offer.source, trust=Trust.LINKED)
        row["from"] = sources.setdefault(source, len(sources))
    return row


def _profile(
    record: dict[str, Any], sources: Sequence[Provenance], methods: Sequence[tuple[str, str, str]]
) -> ModelProfile:
    facts: dict[str, Any] = {name: record[name] for name in _PLAIN if name in record}
    facts |= {name: date.fromisoformat(record[name]) for name in _DATES if name in record}
    facts |= {name: frozenset(record[name]) for name in _SETS if name in record}
    if "price" in record:
        facts["price"] = _price(record["price"])
    if "ability" in record:
        facts["ability"] = MappingProxyType(
            {axis: Ability(mean=m, se=se, n_benchmarks=n) for axis, (m, se, n) in record["ability"].items()}
        )
    return ModelProfile(
        id=record["id"],
        name=record["name"],
        aliases=tuple(record.get("aliases", ())),
        provenance=MappingProxyType({name: sources[i] for name, i in record.get("from", {}).items()}),
        derived=_derived(record.get("derived", ()), methods),
        measured=_measured(record.get("measured", ())),
        **facts,
    )


def _measured(rows: Sequence[dict[str, Any]]) -> Mapping[str, Measurement]:
    return MappingProxyType(
        {
            row["name"]: Measurement(
                name=row["name"],
                value=row["value"],
                unit=row["unit"],
                method=row["method"],
                n=row["n"],
                measured=date.fromisoformat(row["on"]),
                se=row.get("se"),
            )
            for row in rows
        }
    )


def _derived(rows: Sequence[Sequence[float]], methods: Sequence[tuple[str, str, str]]) -> Mapping[str, DerivedFact]:
    facts: dict[str, DerivedFact] = {}
    for at, value, *factor in rows:
        name, unit, method = methods[int(at)]
        facts[name] = DerivedFact(
            name=name, value=float(value), unit=unit, method=method, factor=factor[0] if factor else None
        )
    return MappingProxyType(facts)


def _offer(model_id: str, row: dict[str, Any], sources: Sequence[Provenance]) -> Offer:
    return Offer(
        profile_id=model_id,
        provider=row["provider"],
        model_name=row["model"],
        price=_price(row["price"]) if "price" in row else None,
        batch_price=_price(row["batch"]) if "batch" in row else None,
        context_tokens=row.get("context"),
        max_output_tokens=row.get("max_output"),
        capabilities=frozenset(row.get("can", ("streaming",))),
        only_responses=row.get("only_responses", False),
        retires=_date(row.get("retires")),
        source=sources[row["from"]].source if "from" in row else "",
    )


def _rates(price: Price) -> list[Any]:
    """The rates in the order of `RATES`, trailing unknown ones left out; last of all [limit, rates] of long inputs."""
    rates: list[Any] = [None if getattr(price, name) is None else f"{getattr(price, name):f}" for name in RATES]
    while rates[-1] is None:
        rates.pop()
    if price.long_context is not None:
        rates.append([price.long_context_above_tokens, _rates(price.long_context)])
    return rates


def _price(rates: Sequence[Any]) -> Price:
    facts: dict[str, Any] = {}
    if isinstance(rates[-1], list):
        *rates, (limit, long_rates) = rates
        facts = {"long_context_above_tokens": limit, "long_context": _price(long_rates)}
    named = zip(RATES, rates, strict=False)  # trailing unknown rates are not written
    facts |= {name: Decimal(rate) for name, rate in named if rate is not None}
    return Price(**facts)


def _date(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
