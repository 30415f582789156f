"""What a client is told of its key's limits: headers while they hold, a refusal where one does not."""

from collections.abc import Mapping

from gateway.errors import BudgetExceededError, QuotaError, RateLimitedError
from gateway.state import Claim, Grant, Quota

__all__ = ["limit_headers", "refusal"]


def limit_headers(quota: Quota, grant: Grant) -> dict[str, str]:
    """`x-ratelimit-*`: what is left of the minute's requests and tokens, where they are limited."""
    told: dict[str, str] = {}
    for word, limit, left, reset_s in (
        ("requests", quota.requests_per_minute, grant.requests_left, grant.requests_reset_s),
        ("tokens", quota.tokens_per_minute, grant.tokens_left, grant.tokens_reset_s),
    ):
        if limit is not None and left is not None:
            told[f"x-ratelimit-limit-{word}"] = str(limit)
            told[f"x-ratelimit-remaining-{word}"] = str(left)
            told[f"x-ratelimit-reset-{word}"] = f"{reset_s:.3f}s"
    return told


def refusal(grant: Grant, claim: Claim, headers: Mapping[str, str]) -> QuotaError:
    """Why a claim was not granted, and what to do about it."""
    limit = grant.refused_by or ""
    value = getattr(claim.quota, limit)
    if limit.startswith("budget"):
        period = "day" if limit.endswith("day") else "month"
        return BudgetExceededError(
            f"this key may spend ${value:g} a {period} and has ${max(0.0, grant.usd_left or 0.0):.6g} left;"
            f" it starts anew with the next UTC {period}",
            limit=limit,
            headers=headers,
        )
    if limit == "max_concurrency":
        return RateLimitedError(
            f"this key may have {value} requests at once; wait for one to end",
            limit=limit,
            retry_after_s=1.0,
            headers=headers,
        )
    if grant.retry_after_s is None:
        return RateLimitedError(
            f"this request takes {claim.tokens} tokens and this key has {value} per minute; shorten it",
            limit=limit,
            headers=headers,
        )
    word = "requests" if limit.startswith("requests") else "tokens"
    return RateLimitedError(
        f"this key has {value} {word} per minute; come back in {grant.retry_after_s:.1f} s",
        limit=limit,
        retry_after_s=grant.retry_after_s,
        headers=headers,
    )
