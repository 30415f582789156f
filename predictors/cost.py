"""What a call is expected to cost, for all candidates at once; `catalog.Price` owns the exact sum of a finished one."""

from dataclasses import dataclass, replace

import numpy as np

from catalog import Floats, ModelProfile, Pool, PoolEntry

__all__ = ["BoundCost", "input_token_ratio", "input_tokens_added", "stated_token_ratio"]


class BoundCost:
    """Expected dollars for one pool; NaN where a candidate has no price."""

    def __init__(self, pool: Pool) -> None:
        self._ratio = input_token_ratio(pool)  # (n_candidates,)
        self._plain = pool.input_usd_per_token
        self._cached = pool.cached_input_usd_per_token
        self._output = pool.output_usd_per_token
        added = input_tokens_added(pool)  # (n_candidates,)
        self._added_usd = added * self._plain if added.any() else None
        self._long = _LongInputs.of(pool)

    def estimate(
        self,
        *,
        input_tokens: Floats | float,
        cached_tokens: Floats | float,
        output_tokens: Floats,
        output_tokens_sd: Floats,
    ) -> tuple[Floats, Floats]:
        """Dollars and their standard deviation, each (n_queries, n_candidates).

        Input counts, (n_queries, 1), are in reference tokens and are turned into each model's own; output counts,
        (n_queries, n_candidates), are the models' own already. Of the input, `cached_tokens` are charged at the rate
        of the prompt cache. For one query, input counts are numbers and all else is (n_candidates,).
        """
        cached = np.minimum(cached_tokens, input_tokens)
        plain, cheap, answer = self._plain, self._cached, self._output
        if self._long is not None and np.max(input_tokens) > self._long.shortest:
            above = self._ratio * input_tokens > self._long.limit  # (n_queries, n_candidates)
            plain = np.where(above, self._long.plain, plain)
            cheap = np.where(above, self._long.cached, cheap)
            answer = np.where(above, self._long.output, answer)
        read = self._ratio * (cached * cheap + (input_tokens - cached) * plain)
        if self._added_usd is not None:
            read = read + self._added_usd
        return read + output_tokens * answer, output_tokens_sd * answer

    def cache_saves_usd(self, input_tokens: float) -> Floats:
        """What a reference token of so long an input costs less where it is cached, (n_candidates,).

        Dollars; 0 where nobody has a price: a price learned from outcomes knows no cache.
        """
        saved = self._plain - self._cached
        if self._long is not None and input_tokens > self._long.shortest:
            above = self._ratio * input_tokens > self._long.limit
            saved = np.where(above, self._long.plain - self._long.cached, saved)
        return np.nan_to_num(self._ratio * saved, nan=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _LongInputs:
    """Rates of inputs beyond a limit; arrays are (n_candidates,), the limit inf where there is none."""

    limit: Floats  # the model's own tokens
    plain: Floats  # US dollars per token
    cached: Floats
    output: Floats
    shortest: float  # reference tokens: no input up to here is long for anybody

    @classmethod
    def of(cls, pool: Pool) -> "_LongInputs | None":
        prices = [entry.price for entry in pool.entries]
        limit = np.array([(p.long_context_above_tokens if p else None) or np.inf for p in prices], dtype=np.float64)
        if not np.isfinite(limit).any():
            return None
        long = Pool(
            PoolEntry(profile=replace(entry.profile, price=price.long_context if price else None))
            for entry, price in zip(pool.entries, prices, strict=True)
        )
        return cls(
            limit=limit,
            plain=long.input_usd_per_token,
            cached=long.cached_input_usd_per_token,
            output=long.output_usd_per_token,
            shortest=float(np.min(limit / input_token_ratio(pool))),
        )


def input_token_ratio(pool: Pool) -> Floats:
    """The provider's token count over our estimate, (n_candidates,): measured, else from the profile, else 1."""
    ratios = []
    for entry in pool.entries:
        measured = entry.backend.measured.input_token_ratio if entry.backend is not None else None
        ratios.append(measured or stated_token_ratio(entry.profile))
    return np.array(ratios, dtype=np.float64)


def input_tokens_added(pool: Pool) -> Floats:
    """What a candidate's template adds to every prompt, in its own tokens, (n_candidates,): measured, else 0."""
    added = [entry.backend.measured.input_tokens_added if entry.backend is not None else None for entry in pool.entries]
    return np.array([tokens or 0.0 for tokens in added], dtype=np.float64)


def stated_token_ratio(profile: ModelProfile) -> float:
    """A model's token count over our estimate, as its profile tells; else 1."""
    return profile.tokens_per_char * 4.0 if profile.tokens_per_char else 1.0
