"""Who sells a model and for how much: litellm's price map first, then the hosts that models.dev lists."""

from collections.abc import Sequence
from dataclasses import replace

from catalog.importers.litellm_prices import PriceMap
from catalog.profiles.list_price import MAKERS
from catalog.profiles.offer import Offer

from .rows import Row, capabilities_of, day_of, price_of
from .tables import NOT_CHAT

__all__ = ["offers_of", "sold_by_its_maker", "stated_owner"]

_OUR_PROVIDER = {
    "openrouter": "openrouter", "groq": "groq", "cerebras": "cerebras", "togetherai": "together_ai",
    "fireworks-ai": "fireworks_ai", "google": "gemini", "xai": "xai", "mistral": "mistral", "deepseek": "deepseek",
    "deepinfra": "deepinfra", "nebius": "nebius", "novita-ai": "novita", "moonshotai": "moonshot", "zai": "zai",
    "minimax": "minimax", "anthropic": "anthropic", "perplexity": "perplexity",
    "cohere": "cohere", "amazon-bedrock": "bedrock", "azure": "azure", "google-vertex": "vertex_ai",
}  # fmt: skip


def offers_of(
    key: str, rows: Sequence[Row], prices: PriceMap, others: Sequence[str], *, owner: str
) -> tuple[Offer, ...]:
    """Every offer of a model under its key or the others that mean the same weights, by provider and name."""
    found: dict[tuple[str, str], Offer] = {}
    for spelling in (key, *others):
        for offer in prices.offers.get(spelling, ()):
            if offer.price is not None:
                found.setdefault((offer.provider, offer.model_name), offer)
    for row in rows:
        provider = _OUR_PROVIDER.get(row["provider"]) if row["source"] == "models.dev" else None
        price = price_of(row)
        if (
            provider is None
            or price is None
            or (provider, row["model_id"]) in found
            or row["model_id"][0] == "~"
            or ":" in row["model_id"]
        ):
            continue
        found[provider, row["model_id"]] = Offer(
            profile_id="",
            provider=provider,
            model_name=row["model_id"],
            price=price,
            context_tokens=row["context"] or None,
            max_output_tokens=row["max_output"] or None,
            capabilities=frozenset({"streaming", *capabilities_of([row])}),
            retires=day_of(row["source_date"]) if row["status"] == "deprecated" else None,
            source="models.dev",
        )
    return tuple(replace(found[at], profile_id=f"{owner}/{key}") for at in sorted(found))


def sold_by_its_maker(offers: Sequence[Offer]) -> bool:
    """Whether one of these is a chat model that its maker itself sells at a stated price."""
    return any(
        offer.provider in MAKERS.get(offer.profile_id.partition("/")[0], ())
        and not NOT_CHAT.search(offer.profile_id)
        and offer.price is not None
        for offer in offers
    )


def stated_owner(rows: Sequence[Row]) -> str | None:
    """The owner in the names by which routers sell it: `owner/name`."""
    for row in rows:
        if row["source"] == "models.dev" and row["provider"] in {"openrouter", "vercel", "kilo"}:
            owner = str(row["model_id"]).casefold().partition("/")[0]
            if owner and owner != row["model_id"].casefold():
                return owner.lstrip("~")
    return None
