"""A price map from an address: asked once, within a time and a size, and believed only where it is whole."""

import asyncio

import httpx

from catalog.errors import ImportFailedError

from .litellm_prices import PriceMap, parse_price_map

__all__ = ["MOST_BYTES", "TIMEOUT_S", "download_price_map"]

TIMEOUT_S = 30.0
MOST_BYTES = 32 * 1024 * 1024  # the map of litellm 1.106.2 has two
_PORTION = 64 * 1024


async def download_price_map(
    client: httpx.AsyncClient, url: str, *, timeout_s: float = TIMEOUT_S, most_bytes: int = MOST_BYTES
) -> PriceMap:
    """Download a litellm price map and check it. Redirects are not followed: who gives an address means that one.

    Args:
        client: what asks.
        url: http or https.
        timeout_s: from the first byte sent to the last one received.
        most_bytes: of the document, unpacked.

    Raises:
        ImportFailedError: nobody answers in time, the answer is no price map, is too large, names no price of a chat
            model, or has more bad entries than good ones.
    """
    address = _address(url)
    try:
        async with asyncio.timeout(timeout_s):
            content = await _content(client, url, address, most_bytes)
    except TimeoutError as exc:
        problem = f"did not answer whole within {timeout_s:g} s; give it longer with --timeout or a file with --prices"
        raise ImportFailedError(source=address, problem=problem) from exc
    except httpx.HTTPError as exc:
        problem = f"cannot be reached ({exc or type(exc).__name__}); check --url, or give a file with --prices"
        raise ImportFailedError(source=address, problem=problem) from exc
    return _plausible(parse_price_map(content, source=address), address)


async def _content(client: httpx.AsyncClient, url: str, address: str, most_bytes: int) -> bytes:
    async with client.stream("GET", url, timeout=None, follow_redirects=False) as response:
        if response.is_redirect:
            elsewhere = _address(str(response.url.join(response.headers["location"])))
            raise ImportFailedError(source=address, problem=f"points to {elsewhere}; give the right one with --url")
        if response.status_code != httpx.codes.OK:
            problem = f"answers with status {response.status_code}; check --url, or give a file with --prices"
            raise ImportFailedError(source=address, problem=problem)
        content = bytearray()
        async for portion in response.aiter_bytes(_PORTION):
            content += portion
            if len(content) > most_bytes:
                problem = f"is larger than {most_bytes} bytes, too large for a price map; check --url"
                raise ImportFailedError(source=address, problem=problem)
    return bytes(content)


def _plausible(prices: PriceMap, address: str) -> PriceMap:
    priced = sum(offer.price is not None for offers in prices.offers.values() for offer in offers)
    if not priced:
        raise ImportFailedError(source=address, problem="names no price of a chat model; --url must be of a price map")
    if len(prices.findings) > priced:
        problem = f"{len(prices.findings)} bad entries and only {priced} prices; the first: {prices.findings[0]}"
        raise ImportFailedError(source=address, problem=problem)
    return prices


def _address(url: str) -> str:
    """The address without what may be secret: user, password and query."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as exc:
        raise ImportFailedError(source="--url", problem=f"is no address ({exc})") from exc
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise ImportFailedError(source="--url", problem="must begin with http:// or https:// and name a host")
    return f"{parsed.scheme}://{parsed.netloc.decode('ascii')}{parsed.path}"
