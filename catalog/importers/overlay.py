"""The operator's own facts about models: a TOML or YAML file that stands above every other source.

    [models."acme/our-tune"]
    params_total_b = 8
    released = 2026-05-01
    price = {input_usd_per_mtok = 0.1, output_usd_per_mtok = 0.4}

    [models."acme/our-tune".measured.ttft_s]
    method = "paretogate probe, 20 calls one after another"
    n = 20
    date = 2026-11-24

Keys are the fields of `ModelProfile`. A key that does not exist is an error, not a silence. A table under `measured`
says how a field came about, which is then trusted as measured instead of as stated; with a `value` and a `unit` it is
a measurement that has no field of its own.
"""

import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from types import MappingProxyType
from typing import Any

from catalog.errors import ImportFailedError, InvalidOverlayError, InvalidPriceError, InvalidProfileError
from catalog.profiles.measurement import Measurement
from catalog.profiles.price import RATES, Price
from catalog.profiles.profile import Ability, ModelProfile
from catalog.profiles.provenance import Provenance, Trust
from catalog.untrusted.regular_files import read_text
from catalog.untrusted.yaml_texts import parse_yaml

__all__ = ["read_overlay"]


def read_overlay(path: Path) -> tuple[ModelProfile, ...]:
    """The profiles of an overlay file, in the order written.

    Raises:
        ImportFailedError: the file cannot be read.
        InvalidOverlayError: it is no TOML or YAML, names an unknown key, or gives a value that cannot be.
    """
    document = _parse(path)
    for key in document:
        if key != "models":
            raise InvalidOverlayError(file=str(path), field=str(key), problem="unknown section; there is only [models]")
    models = document.get("models", {})
    if not isinstance(models, dict):
        raise InvalidOverlayError(file=str(path), field="models", problem="must be a table of owner/name to facts")
    return tuple(_profile(str(model_id), facts, file=str(path)) for model_id, facts in models.items())


def _parse(path: Path) -> dict[str, Any]:
    try:
        text = read_text(path)
    except OSError as exc:
        raise ImportFailedError(source=str(path), problem=exc.strerror or "cannot be read") from exc
    except UnicodeDecodeError as exc:
        raise InvalidOverlayError(file=str(path), field="(file)", problem="is not UTF-8 text") from exc
    if path.suffix in {".yaml", ".yml"}:
        return _parse_yaml(text, path)
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as exc:
        raise InvalidOverlayError(file=str(path), field="(file)", problem=f"is not TOML: {exc}") from exc


def _parse_yaml(text: str, path: Path) -> dict[str, Any]:
    try:
        document = parse_yaml(text)
    except ValueError as exc:
        raise InvalidOverlayError(file=str(path), field="(file)", problem=f"is not YAML: {exc}") from exc
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise InvalidOverlayError(file=str(path), field="(file)", problem="must be a mapping at its top")
    return document


def _profile(model_id: str, facts: object, *, file: str) -> ModelProfile:
    where = f"models.{model_id}"
    if not isinstance(facts, dict):
        raise InvalidOverlayError(file=file, field=where, problem="must be a table of facts")
    values: dict[str, Any] = {}
    for key, value in facts.items():
        field = f"{where}.{key}"
        if key not in _READERS:
            raise InvalidOverlayError(
                file=file, field=field, problem=f"unknown key; known: {', '.join(sorted(_READERS))}"
            )
        try:
            values[key] = _READERS[key](value)
        except (TypeError, ValueError, InvalidOperation) as exc:
            raise InvalidOverlayError(file=file, field=field, problem=str(exc)) from exc
    measured: dict[str, Measurement | Provenance] = values.pop("measured", {})
    if further := {name: told for name, told in measured.items() if isinstance(told, Measurement)}:
        values["measured"] = MappingProxyType(further)
    stated = [key for key in values if key not in {"name", "aliases", "measured"}]
    values.setdefault("name", model_id.partition("/")[2])
    try:
        return ModelProfile(id=model_id, provenance=_provenance(stated, measured, where, file=file), **values)
    except InvalidProfileError as exc:
        raise InvalidOverlayError(file=file, field=where, problem=str(exc)) from exc


def _provenance(
    stated: Sequence[str], measured: Mapping[str, Measurement | Provenance], where: str, *, file: str
) -> Mapping[str, Provenance]:
    """Of every stated field, in order: measured as the table under `measured` says, or else the operator's word."""
    found = dict.fromkeys(stated, Provenance(source=file, trust=Trust.OPERATOR))
    for name, told in measured.items():
        if isinstance(told, Measurement):
            continue
        if name not in found:
            problem = "says how a field was measured that is not stated here; state it, or give a value and a unit"
            raise InvalidOverlayError(file=file, field=f"{where}.measured.{name}", problem=problem)
        found[name] = told
    return MappingProxyType(found)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise TypeError(f"must be a text, not {value!r}")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        raise TypeError(f"must be a number, not {value!r:.40}")
    return float(value)


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise TypeError(f"must be a whole number above zero, not {value!r}")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"must be true or false, not {value!r}")
    return value


def _day(value: object) -> date:
    if type(value) is date:
        return value
    if isinstance(value, str):
        return date.fromisoformat(value)
    raise TypeError(f"must be a date like 2026-05-01, not {value!r}")


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError(f"must be a list of texts, not {value!r}")
    return tuple(_text(item) for item in value)


def _set(value: object) -> frozenset[str]:
    return frozenset(_texts(value))


def _price(value: object) -> Price:
    if not isinstance(value, dict):
        raise TypeError("must be a table of rates in US dollars per million tokens")
    if unknown := set(value) - {*RATES, "long_context", "long_context_above_tokens"}:
        raise ValueError(f"unknown rate {min(unknown)}; known: {', '.join(RATES)}, long_context")
    if missing := {"input_usd_per_mtok", "output_usd_per_mtok"} - set(value):
        raise ValueError(f"{min(missing)} is missing")
    try:
        rates: dict[str, Any] = {key: Decimal(str(_number(value[key]))) for key in RATES if key in value}
        long = _price(value["long_context"]) if "long_context" in value else None
        limit = _limit(value.get("long_context_above_tokens"))
        return Price(**rates, long_context=long, long_context_above_tokens=limit)
    except InvalidPriceError as exc:
        raise ValueError(str(exc)) from exc


def _limit(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("long_context_above_tokens must be a whole number")
    return value


def _abilities(value: object) -> Mapping[str, Ability]:
    if not isinstance(value, dict):
        raise TypeError("must be a table of axis to {mean, se}")
    return MappingProxyType({str(axis): _ability(told) for axis, told in value.items()})


def _ability(value: object) -> Ability:
    if not isinstance(value, dict) or set(value) != {"mean", "se"}:
        raise TypeError(f"an ability is {{mean, se}}, not {value!r}")
    return Ability(mean=_number(value["mean"]), se=_number(value["se"]))


def _measured(value: object) -> dict[str, Measurement | Provenance]:
    if not isinstance(value, dict):
        raise TypeError("must be a table of fact to {method, n, date}")
    return {str(name): _measurement(str(name), told) for name, told in value.items()}


def _measurement(name: str, told: object) -> Measurement | Provenance:
    known = {"method", "n", "date", "value", "unit", "se"}
    if not isinstance(told, dict) or not {"method", "n", "date"} <= set(told) <= known:
        raise TypeError(f"{name} must be {{method, n, date}} and, where it is no field, value, unit and perhaps se")
    method, n, day = _text(told["method"]), _count(told["n"]), _day(told["date"])
    if "value" not in told:
        return Provenance(source=f"measured by us: {method}, n = {n}", trust=Trust.MEASURED, recorded=day)
    se = _number(told["se"]) if "se" in told else None
    value, unit = _number(told["value"]), _text(told.get("unit"))
    return Measurement(name=name, value=value, unit=unit, method=method, n=n, measured=day, se=se)


_READERS: Mapping[str, Callable[[object], Any]] = {
    "name": _text,
    "family": _text,
    "base_model": _text,
    "version": _text,
    "digest": _text,
    "snapshot_of": _text,
    "tokenizer": _text,
    "documentation": _number,
    "carbon_reporting": _text,
    "aliases": _texts,
    "params_total_b": _number,
    "params_active_b": _number,
    "architecture": _text,
    "license": _text,
    "open_weights": _flag,
    "released": _day,
    "knowledge_cutoff": _day,
    "context_tokens": _count,
    "max_output_tokens": _count,
    "modalities_in": _set,
    "modalities_out": _set,
    "capabilities": _set,
    "price": _price,
    "ability": _abilities,
    "output_tokens_mean": _number,
    "tokens_per_char": _number,
    "ttft_s": _number,
    "tokens_per_s": _number,
    "energy_wh_per_mtok": _number,
    "readability": _number,
    "risk_cvar95": _number,
    "agent_risk": _number,
    "harm": _number,
    "bias": _number,
    "hallucination_rate": _number,
    "measured": _measured,
}
