"""What a provider asks for a model: one entry of its price list."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from .price import Price

__all__ = ["Offer", "current"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A model as one provider sells it. Nothing here says that we hold a key; that is a `Backend`."""

    profile_id: str
    provider: str
    model_name: str  # what the provider calls it
    price: Price | None = None
    batch_price: Price | None = None
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    capabilities: frozenset[str] = frozenset({"streaming"})
    only_responses: bool = False  # no chat: the provider takes it at /responses alone
    retires: date | None = None  # the provider's own announcement
    source: str = ""


def current(offers: Iterable[Offer], *, today: date) -> tuple[Offer, ...]:
    """The offers that no announcement has retired by that day."""
    return tuple(offer for offer in offers if offer.retires is None or offer.retires > today)
