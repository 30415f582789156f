"""One row of the table of public metadata: how much its source is believed, and what it says in our own types."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from catalog.profiles.price import Price
from catalog.profiles.provenance import Provenance, Trust

__all__ = [
    "MAKER_PROVIDERS",
    "SOURCES",
    "Row",
    "capabilities_of",
    "day_of",
    "is_hosts",
    "is_makers",
    "newest_day",
    "positive",
    "price_of",
    "rank",
    "seen_from",
    "source_of",
]

Row = Mapping[str, Any]

# Of metadata, the most believed first; their licences are MIT, CC BY 4.0, Apache-2.0, MIT and MIT.
SOURCES = ("models.dev", "llm-stats", "helm", "inspect_ai", "epoch")
_FIRST_REGISTRY, _HOST = 2, 9  # ranks: registries stand between the maker and its hosts
MAKER_PROVIDERS = {
    "openai": "openai", "anthropic": "anthropic", "google": "google", "mistral": "mistralai", "xai": "x-ai",
    "deepseek": "deepseek", "alibaba": "qwen", "moonshotai": "moonshotai", "zai": "z-ai", "minimax": "minimax",
    "cohere": "cohere", "perplexity": "perplexity", "llama": "meta-llama", "nvidia": "nvidia", "xiaomi": "xiaomi",
    "inception": "inception", "upstage": "upstage", "stepfun": "stepfun",
}  # fmt: skip


def rank(row: Row) -> int:
    """How far a row's source is from the maker: first its own entries (0, 1), then registries, last of all hosts."""
    if row["source"] != "models.dev":
        return _FIRST_REGISTRY + SOURCES.index(row["source"])
    if row["provider"].startswith("(base)/"):
        return 0
    return 1 if row["provider"] in MAKER_PROVIDERS and not row.get("is_host") else _HOST


def is_makers(row: Row) -> bool:
    """Whether the maker itself states the row."""
    return rank(row) < _FIRST_REGISTRY


def is_hosts(row: Row) -> bool:
    """Whether whoever merely serves the model states the row: believed least."""
    return rank(row) == _HOST


def seen_from(owner: str, rows: Iterable[Row]) -> list[Row]:
    """The rows of one model, nearest first: a maker that sells another's model is a mere host of it."""
    told = [{**row, "is_host": True} if MAKER_PROVIDERS.get(row["provider"], owner) != owner else row for row in rows]
    return sorted(told, key=rank)


def source_of(row: Row) -> Provenance:
    """The source to name for what the row says, believed as far as it is near the maker."""
    told = f"{row['source']}: {row['provider']}" if row["source"] == "models.dev" else str(row["source"])
    trust = Trust.SELF_REPORTED if is_hosts(row) else Trust.LINKED
    return Provenance(source=told, trust=trust, recorded=day_of(row["source_date"]))


def price_of(row: Row) -> Price | None:
    """The rates of a row; None where they are not stated or both zero, which hardly ever means free."""
    given, asked = row["price_in_usd_per_mtok"], row["price_out_usd_per_mtok"]
    if given is None or asked is None or (given == 0 and asked == 0):
        return None
    cached, written = row["price_cached_in_usd_per_mtok"], row["price_cache_write_usd_per_mtok"]
    return Price(
        input_usd_per_mtok=_money(given),
        output_usd_per_mtok=_money(asked),
        cached_input_usd_per_mtok=_money(cached) if cached else None,
        cache_write_usd_per_mtok=_money(written) if written else None,
    )


def capabilities_of(rows: Iterable[Row]) -> set[str]:
    """What any of the rows says the model can do."""
    can: set[str] = set()
    for row in rows:
        modalities = (row["modalities_in"] or "").split(",")
        told = {
            "tools": row["tool_call"],
            "reasoning": row["reasoning"],
            "json_schema": row["structured_output"],
            "vision": "image" in modalities,
            "audio": "audio" in modalities,
        }
        can |= {ability for ability, yes in told.items() if yes}
    return can


def newest_day(joined: Mapping[str, Sequence[Row]]) -> date | None:
    """The day of the newest source: the `today` of what ships."""
    days = (day_of(row["source_date"]) for rows in joined.values() for row in rows)
    return max((day for day in days if day), default=None)


def day_of(text: str | None) -> date | None:
    """A date as sources write it; a bare month or year stands for its first day."""
    if not text or not (found := re.fullmatch(r"(\d{4})(?:-(\d\d))?(?:-(\d\d))?", text)):
        return None
    year, month, day = (int(part or 1) for part in found.groups())
    try:
        return date(year, month, day)
    except ValueError:
        return None


def positive(value: float | None) -> float | None:
    """The number where it can be a size, else None."""
    return value if value is not None and value > 0 else None


def _money(rate: float) -> Decimal:
    return Decimal(f"{rate:.6f}".rstrip("0").rstrip("."))
