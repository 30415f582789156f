"""Renew what changes most often, offers and list prices, and leave everything else as it is."""

from dataclasses import replace
from types import MappingProxyType

from catalog.derived import text_facts
from catalog.identity import model_key
from catalog.importers.litellm_prices import SOURCE, PriceMap
from catalog.profiles.list_price import makers_offers, makers_price, middle_price
from catalog.profiles.offer import Offer
from catalog.profiles.profile import ModelProfile
from catalog.profiles.provenance import Provenance, Trust
from catalog.registry import Catalog

__all__ = ["refreshed"]


def refreshed(catalog: Catalog, prices: PriceMap) -> tuple[list[ModelProfile], dict[str, tuple[Offer, ...]]]:
    """Profiles with current list prices, and offers by profile id; models that their makers newly sell are added.

    Offers from other sources stay. A price that an operator stated stays; a model no price map names keeps its price.
    """
    profiles: list[ModelProfile] = []
    offers: dict[str, tuple[Offer, ...]] = {}
    seen: set[str] = set()
    for profile in catalog:
        keys = dict.fromkeys((profile.id.partition("/")[2], *(model_key(alias) for alias in profile.aliases)))
        seen.update(keys)
        told = [offer for key in keys for offer in prices.offers.get(key, ()) if offer.price is not None]
        kept = [offer for offer in catalog.offers(profile.id) if offer.source != SOURCE]
        offers[profile.id] = _unique([replace(offer, profile_id=profile.id) for offer in (*told, *kept)])
        profiles.append(_repriced(profile, offers[profile.id]) if told else profile)
    for key, told_offers in prices.offers.items():
        owner = told_offers[0].profile_id.partition("/")[0]
        if key not in seen and (own := makers_offers(owner, told_offers)):
            profiles.append(_new(own))
            offers[own[0].profile_id] = tuple(o for o in told_offers if o.price is not None)
    return profiles, offers


def _unique(offers: list[Offer]) -> tuple[Offer, ...]:
    """One for each name at each provider, the first that was told; in the order of these."""
    found: dict[tuple[str, str], Offer] = {}
    for offer in offers:
        found.setdefault((offer.provider, offer.model_name), offer)
    return tuple(found[at] for at in sorted(found))


def _repriced(profile: ModelProfile, offers: tuple[Offer, ...]) -> ModelProfile:
    """At its maker's price; at the middle of all offers only where nobody but such a guess named one before."""
    known = profile.provenance.get("price")
    if known is not None and known.trust > Trust.LINKED:
        return profile
    found = makers_price(profile.owner, offers)
    if found is None and (known is None or known.trust is Trust.INFERRED):
        found = middle_price(offers)
    if found is None:
        return profile
    price, source = found
    told = replace(profile, price=price, provenance=MappingProxyType({**profile.provenance, "price": source}))
    if not profile.derived:
        return told
    return replace(told, derived=MappingProxyType({**told.derived, **{fact.name: fact for fact in text_facts(told)}}))


def _new(own: list[Offer]) -> ModelProfile:
    """What the first of its maker's offers tells of a model that the catalog does not have."""
    offer = own[0]
    source = Provenance(source=f"{offer.source}: {offer.provider}", trust=Trust.LINKED)
    stated = ("context_tokens", "max_output_tokens", "capabilities", "price")
    return ModelProfile(
        id=offer.profile_id,
        name=offer.profile_id.partition("/")[2],
        context_tokens=offer.context_tokens,
        max_output_tokens=offer.max_output_tokens,
        capabilities=offer.capabilities,
        price=offer.price,
        provenance=MappingProxyType({name: source for name in stated if getattr(offer, name) is not None}),
    )
