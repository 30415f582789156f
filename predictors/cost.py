"""What a call is expected to cost, for all candidates at once; `catalog.Price` owns the exact sum of a finished one."""

import numpy as np

from catalog import Floats, Pool

__all__ = ["BoundCost", "input_token_ratio"]


class BoundCost:
    """Expected dollars for one pool; NaN where a candidate has no price."""

    def __init__(self, pool: Pool) -> None:
        self._ratio = input_token_ratio(pool)  # (n_candidates,)
        self._plain = pool.input_usd_per_token
        self._cached = pool.cached_input_usd_per_token
        self._output = pool.output_usd_per_token

    def estimate(
        self, *, input_tokens: float, cached_tokens: float, output_tokens: Floats, output_tokens_sd: Floats
    ) -> tuple[Floats, Floats]:
        """Dollars and their standard deviation, each (n_candidates,).

        Input counts are in reference tokens and are turned into each model's own; output counts (n_candidates,) are
        the models' own already. Of the input, `cached_tokens` are charged at the rate of the prompt cache.
        """
        cached = min(cached_tokens, input_tokens)
        read = self._ratio * (cached * self._cached + (input_tokens - cached) * self._plain)
        return read + output_tokens * self._output, output_tokens_sd * self._output


def input_token_ratio(pool: Pool) -> Floats:
    """The provider's token count over our estimate, (n_candidates,): measured, else from the profile, else 1."""
    ratios = []
    for entry in pool.entries:
        measured = entry.backend.measured.input_token_ratio if entry.backend is not None else None
        from_profile = entry.profile.tokens_per_char * 4.0 if entry.profile.tokens_per_char else None
        ratios.append(measured or from_profile or 1.0)
    return np.array(ratios, dtype=np.float64)
