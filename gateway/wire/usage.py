"""Token counts, web searches and bills, out of the many ways in which OpenAI-speaking servers report them."""

from collections.abc import Mapping

from catalog import Usage

__all__ = ["read_usage"]

_MOST = 10**9  # no call has more tokens: a larger count is an error, and would empty any budget
_MOST_USD = 10_000.0  # ... and none costs more
_TICKS_PER_USD = 10**10


def read_usage(reported: object) -> Usage | None:
    """The counts in our one convention; None where the server gave none that make sense.

    Cached tokens are reported by OpenAI, vLLM and most others in `prompt_tokens_details.cached_tokens`, by DeepSeek
    as `prompt_cache_hit_tokens`; tokens written to a cache as `cache_creation_input_tokens` (Anthropic's word, kept
    by adapters) or in the details, which also say how many of them are kept for an hour; web searches
    that the provider made are counted in `server_tool_use` (Anthropic's word) or in the details (litellm).

    What a model thought is output, and paid for as such. xAI and Gemini leave it out of `completion_tokens`, and count
    it in the total alone.
    """
    if not isinstance(reported, dict):
        return None
    input_tokens, output = _count(reported, "prompt_tokens"), _count(reported, "completion_tokens")
    if input_tokens is None:
        return None
    total = _count(reported, "total_tokens")
    if output is None and reported.get("completion_tokens") is None and total is not None:
        output = total - input_tokens  # embeddings count no output
    if output is None or output < 0:
        return None
    read = _details(reported, "prompt_tokens_details")
    made = _details(reported, "completion_tokens_details")
    cached = _first((read, "cached_tokens"), (reported, "prompt_cache_hit_tokens"))
    written = _first(
        (read, "cache_write_tokens"), (read, "cache_creation_tokens"), (reported, "cache_creation_input_tokens")
    )
    thought = _count(made, "reasoning_tokens") or 0
    more = 0 if total is None else total - input_tokens - output
    if more > 0 and (more == thought or not (thought or more in (cached, written, cached + written))):
        output, thought = output + more, more
    cached = min(cached, input_tokens)
    written = min(written, input_tokens - cached)
    searched = _first((_details(reported, "server_tool_use"), "web_search_requests"), (read, "web_search_requests"))
    hour = _first((_details(read, "cache_creation_token_details"), "ephemeral_1h_input_tokens")) if written else 0
    return Usage(
        input_tokens=input_tokens,
        output_tokens=output,
        cached_input_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=min(thought, output),
        hour_cache_write_tokens=min(hour, written),
        web_searches=searched,
        billed_usd=_billed_usd(reported),
    )


def _billed_usd(reported: Mapping[str, object]) -> float | None:
    """What was charged: xAI says it in ticks, Perplexity as the total of a table, OpenRouter as a number.

    With a key of one's own at the provider behind OpenRouter, that number is OpenRouter's fee alone, and what the
    provider charges stands beside it.
    """
    if "cost_in_usd_ticks" in reported:
        return _amount(reported["cost_in_usd_ticks"], per_usd=_TICKS_PER_USD)
    cost = reported.get("cost")
    if isinstance(cost, dict):
        return _amount(cost.get("total_cost"))
    fee = _amount(cost)
    if fee is None or reported.get("is_byok") is not True:
        return fee
    behind = _amount(_details(reported, "cost_details").get("upstream_inference_cost"))
    return None if behind is None else fee + behind


def _amount(value: object, *, per_usd: int = 1) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= _MOST_USD * per_usd:
        return None
    return value / per_usd


def _details(reported: Mapping[str, object], name: str) -> Mapping[str, object]:
    details = reported.get(name)
    return details if isinstance(details, dict) else {}


def _count(table: Mapping[str, object], name: str) -> int | None:
    value = table.get(name)
    return value if type(value) is int and 0 <= value <= _MOST else None


def _first(*places: tuple[Mapping[str, object], str]) -> int:
    """The count in the first of these places that holds one; 0 where none does."""
    for table, name in places:
        value = table.get(name)
        if type(value) is int and 0 <= value <= _MOST:
            return value
    return 0
