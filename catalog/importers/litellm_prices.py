"""Prices, limits and capabilities from the price map that litellm carries, read as a file: litellm is never imported.

An entry says what one provider asks for one model. Entries whose names mean the same weights become offers of one
profile. Source: the model_prices_and_context_window file of BerriAI/litellm, MIT licence.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import Any

from catalog.errors import ImportFailedError, InvalidPriceError
from catalog.finding import Finding
from catalog.identity import model_key, owner_of
from catalog.profiles.offer import Offer
from catalog.profiles.price import MOST_TOKENS, Price
from catalog.untrusted.regular_files import read_file

__all__ = ["SOURCE", "PriceMap", "bundled_price_map", "parse_price_map", "read_price_map"]

SOURCE = "litellm price map"
_FILE = "model_prices_and_context_window_backup.json"
_PREFIXES = ("vertex_ai", "bedrock")  # litellm splits these providers by dialect
_RENAMED = {"cohere_chat": "cohere", "text-completion-openai": "openai", "meta_llama": "meta"}
_FLAGS = {
    "supports_function_calling": "tools",
    "supports_vision": "vision",
    "supports_audio_input": "audio",
    "supports_response_schema": "json_schema",
    "supports_reasoning": "reasoning",
}
_RATES = {
    "input_usd_per_mtok": "input_cost_per_token",
    "output_usd_per_mtok": "output_cost_per_token",
    "cached_input_usd_per_mtok": "cache_read_input_token_cost",
    "cache_write_usd_per_mtok": "cache_creation_input_token_cost",
    "reasoning_usd_per_mtok": "output_cost_per_reasoning_token",
}
_LONG = re.compile(r"input_cost_per_token_above_(\d+)k_tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceMap:
    """What a price map says: offers by model key, and the entries that could not be used."""

    offers: Mapping[str, tuple[Offer, ...]]  # key -> offers; their profile_id is owner/key
    findings: tuple[Finding, ...]


def bundled_price_map() -> Path:
    """The price map inside the installed litellm.

    Raises:
        ImportFailedError: litellm is not installed here.
    """
    spec = find_spec("litellm")
    if spec is None or spec.origin is None:
        raise ImportFailedError(source=SOURCE, problem="litellm is not installed; pip install 'paretogate[litellm]'")
    return Path(spec.origin).parent / _FILE


def read_price_map(path: Path | None = None) -> PriceMap:
    """Read the chat models of a price map, by default of the one inside the installed litellm.

    Raises:
        ImportFailedError: the file is absent or is not a JSON object.
    """
    path = path or bundled_price_map()
    try:
        content = read_file(path)
    except OSError as exc:
        raise ImportFailedError(source=str(path), problem=exc.strerror or "cannot be read") from exc
    return parse_price_map(content, source=str(path))


def parse_price_map(content: bytes, *, source: str) -> PriceMap:
    """The chat models of a price map.

    Args:
        content: the document, in UTF-8.
        source: where it came from, a path or an address; findings name its last part.

    Raises:
        ImportFailedError: the content is not a JSON object.
    """
    try:
        document = json.loads(content.decode("utf-8"), parse_float=Decimal)
    except (ValueError, RecursionError) as exc:
        raise ImportFailedError(source=source, problem=f"is not JSON: {exc}") from exc
    if not isinstance(document, dict):
        raise ImportFailedError(source=source, problem="must be one JSON object of model to facts")
    file = PurePath(source).name
    offers: dict[str, list[Offer]] = {}
    findings: list[Finding] = []
    for name, entry in document.items():
        read = _read_entry(_written(name), entry, file)
        if isinstance(read, Finding):
            findings.append(read)
        elif read is not None:
            offers.setdefault(read.profile_id.partition("/")[2], []).append(read)
    return PriceMap(
        offers={key: tuple(sorted(rows, key=lambda o: (o.provider, o.model_name))) for key, rows in offers.items()},
        findings=tuple(findings),
    )


def _read_entry(name: str, entry: object, file: str) -> Offer | Finding | None:
    if name == "sample_spec" or (isinstance(entry, dict) and not _answers_in_text(entry)):
        return None
    if name.startswith("ft:"):
        return None  # the rate for fine-tunes of a model, not a model
    try:
        facts, provider = _chat_entry(entry)
        return _offer(name, facts, key=_key(name), provider=_provider(provider))
    except _BadFieldError as exc:
        return Finding(file=file, entry=name, field=exc.field, problem=exc.problem)


def _answers_in_text(entry: dict[str, Any]) -> bool:
    return entry.get("mode") == "chat" or _only_responses(entry)


def _only_responses(entry: dict[str, Any]) -> bool:
    """A model of OpenAI's newer protocol that its provider offers for no chat."""
    addresses = entry.get("supported_endpoints")
    return (
        entry.get("mode") == "responses"
        and isinstance(addresses, list)
        and "/v1/responses" in addresses
        and "/v1/chat/completions" not in addresses
    )


def _chat_entry(entry: object) -> tuple[dict[str, Any], str]:
    if not isinstance(entry, dict):
        raise _BadFieldError("(entry)", f"must be an object, not {entry!r:.40}")
    provider = entry.get("litellm_provider")
    if not isinstance(provider, str) or not provider:
        raise _BadFieldError("litellm_provider", "must name a provider")
    return entry, _written(provider)


def _written(text: str) -> str:
    """A text that can be written: half a surrogate pair, which JSON can spell, becomes its escape."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _key(name: str) -> str:
    if not (key := model_key(name)):
        raise _BadFieldError("(name)", "names no model")
    return key


def _offer(name: str, entry: dict[str, Any], *, key: str, provider: str) -> Offer:
    maker = owner_of(key) or provider
    return Offer(
        profile_id=f"{maker}/{key}",
        provider=provider,
        model_name=_model_name(name, str(entry["litellm_provider"])),
        price=_price(entry, "", long=_long_price(entry)),
        batch_price=_price(entry, "_batches"),
        context_tokens=_count(entry, "max_input_tokens") or _count(entry, "max_tokens"),
        max_output_tokens=_count(entry, "max_output_tokens"),
        capabilities=frozenset(
            {"streaming", *(ability for flag, ability in _FLAGS.items() if entry.get(flag) is True)}
        ),
        only_responses=_only_responses(entry),
        retires=_day(entry, "deprecation_date"),
        source=SOURCE,
    )


class _BadFieldError(ValueError):
    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field, self.problem = field, problem


def _provider(name: str) -> str:
    for prefix in _PREFIXES:
        if name.startswith(prefix) and name != "bedrock_mantle":
            return prefix
    return _RENAMED.get(name, name)


def _model_name(name: str, provider: str) -> str:
    head, slash, rest = name.partition("/")
    return rest if slash and head in {provider, _provider(provider), "vertex_ai", "meta_llama"} else name


def _long_price(entry: dict[str, Any]) -> dict[str, Any]:
    """The rates of long inputs and from where on they hold; of several limits the first. Empty where there are none."""
    limits = sorted(int(found[1]) for field in entry if (found := _LONG.fullmatch(field)))
    for limit in limits:
        price = _price(entry, f"_above_{limit}k_tokens")
        if price is not None:
            return {"long_context": price, "long_context_above_tokens": limit * 1000}
    return {}


def _price(entry: dict[str, Any], suffix: str, *, long: Mapping[str, Any] = MappingProxyType({})) -> Price | None:
    rates = {field: _rate(entry, source + suffix) for field, source in _RATES.items()}
    rates["search_usd_per_thousand"] = None if suffix else _search_rate(entry)
    given, asked = rates["input_usd_per_mtok"], rates["output_usd_per_mtok"]
    if given is None or asked is None or (given == 0 and asked == 0):
        return None  # zero means a subscription or not stated, hardly ever free
    facts: dict[str, Any] = {field: rate for field, rate in rates.items() if rate is not None}
    try:
        return Price(**facts, **long)
    except InvalidPriceError as exc:
        raise _BadFieldError("price" + suffix, str(exc)) from exc


def _rate(entry: dict[str, Any], field: str) -> Decimal | None:
    value = entry.get(field)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise _BadFieldError(field, f"must be a number, not {value!r:.40}")
    try:
        rate = Decimal(value) * 1_000_000
    except ArithmeticError as exc:  # no number, or one that not even decimals hold
        raise _BadFieldError(field, f"must be a number, not {value!r:.40}") from exc
    if not rate.is_finite() or rate < 0 or rate > 1_000_000:
        raise _BadFieldError(field, f"is not a plausible rate: {value}")
    return rate.normalize() + 0


def _search_rate(entry: dict[str, Any]) -> Decimal | None:
    """Dollars per thousand web searches of the customary size."""
    by_size = entry.get("search_context_cost_per_query")
    if not isinstance(by_size, dict):
        return None
    rate = _rate(by_size, "search_context_size_medium")  # per million
    return None if rate is None else (rate / 1000).normalize() + 0


def _count(entry: dict[str, Any], field: str) -> int | None:
    value = entry.get(field)
    if value is None:
        return None
    try:
        count = Decimal(value)
        is_plausible = count <= MOST_TOKENS
    except (ArithmeticError, TypeError, ValueError) as exc:
        raise _BadFieldError(field, f"must be a whole number, not {value!r:.40}") from exc
    if not is_plausible:
        raise _BadFieldError(field, f"is not a plausible count: {value!r:.40}")
    return int(count) if count >= 1 else None


def _day(entry: dict[str, Any], field: str) -> date | None:
    value = entry.get(field)
    if value is None:
        return None
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError) as exc:
        raise _BadFieldError(field, f"must be a date like 2026-05-01, not {value!r:.40}") from exc
