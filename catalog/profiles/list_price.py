"""A model's list price, from what providers ask for it: its maker's own, else the middle of what hosts ask."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from statistics import median
from types import MappingProxyType

from .offer import Offer
from .price import Price
from .provenance import Provenance, Trust

__all__ = ["MAKERS", "makers_offers", "makers_price", "middle_price"]

MAKERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "openai": ("openai",),
        "anthropic": ("anthropic",),
        "google": ("gemini", "vertex_ai"),
        "mistralai": ("mistral",),
        "x-ai": ("xai",),
        "deepseek": ("deepseek",),
        "qwen": ("dashscope",),
        "moonshotai": ("moonshot",),
        "z-ai": ("zai",),
        "minimax": ("minimax",),
        "cohere": ("cohere",),
        "amazon": ("bedrock",),
        "ai21": ("ai21",),
        "perplexity": ("perplexity",),
        "meta-llama": ("meta",),
        "tencent": ("tencent",),
    }
)  # owner -> the providers by which it sells itself, the nearest first


def makers_offers(owner: str, offers: Sequence[Offer]) -> list[Offer]:
    """The maker's own offers, the one with the shortest name first: the one that is no special tier or region."""
    makers = MAKERS.get(owner, ())
    own = [offer for offer in offers if offer.provider in makers and offer.price is not None]
    return sorted(own, key=lambda o: (makers.index(o.provider), len(o.model_name), o.model_name))


def makers_price(owner: str, offers: Sequence[Offer]) -> tuple[Price, Provenance] | None:
    """What the maker itself asks, with the source; None where it sells nothing itself."""
    for offer in makers_offers(owner, offers):
        if offer.price is not None:
            return offer.price, Provenance(source=f"{offer.source}: {offer.provider}", trust=Trust.LINKED)
    return None


def middle_price(offers: Sequence[Offer]) -> tuple[Price, Provenance] | None:
    """The median of the hosts' input and output rates, marked as inferred; None without an offer."""
    prices = [offer.price for offer in offers if offer.price is not None]
    if not prices:
        return None
    price = Price(
        input_usd_per_mtok=Decimal(median(price.input_usd_per_mtok for price in prices)),
        output_usd_per_mtok=Decimal(median(price.output_usd_per_mtok for price in prices)),
    )
    return price, Provenance(source=f"median of {len(prices)} offers", trust=Trust.INFERRED)
