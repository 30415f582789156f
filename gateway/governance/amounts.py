"""What a call is expected to take of its key's limits, and what it took."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from gateway.dispatch import Call
from gateway.errors import BudgetExceededError
from router import Decision

from .visit import Visit

__all__ = ["Amount", "affordable", "expected", "taken"]


class Amount(NamedTuple):
    """Of one call."""

    tokens: int
    usd: float


def expected(visit: Visit, call: Call) -> Amount:
    """What the forecast says of the model that was chosen.

    Raises:
        BudgetExceededError: nobody knows its price, and the key has a budget.
    """
    chosen = call.decision.ranking[0]
    output_tokens = float(call.decision.forecast.output_tokens[chosen]) * call.query.n_answers
    tokens = call.query.input_tokens + (0 if np.isnan(output_tokens) else round(output_tokens))
    usd = float(call.decision.forecast.cost_usd[chosen])
    if not np.isnan(usd):
        return Amount(tokens, usd)
    if visit.quota.has_budget:
        raise BudgetExceededError(
            f"{call.decision.chosen.profile.id} has no known price, and this key has a budget;"
            " give its backend a price",
            limit="price",
        )
    return Amount(tokens, 0.0)


def affordable(decision: Decision, usd_left: float) -> Decision:
    """The decision without fallbacks that are not known to cost at most so much."""
    first, *rest = decision.ranking
    cost_usd = decision.forecast.cost_usd
    return replace(decision, ranking=(first, *(p for p in rest if cost_usd.item(p) <= usd_left)))


def taken(visit: Visit, call: Call | None) -> Amount:
    """What the call really took.

    One that nobody answered costs nothing. One that was answered, but whose bill is not known (the client left midway,
    the backend counts no tokens), costs what was reserved, or, where another than the chosen one answered, what was
    forecast of that one.
    """
    if call is None:
        return Amount(0, 0.0)
    tokens, usd = (0, 0.0) if call.entry is None else (visit.held_tokens, _reserved_usd(visit, call))
    if call.usage is not None:
        tokens = call.usage.input_tokens + call.usage.output_tokens
    return Amount(tokens, usd if call.cost_usd is None else call.cost_usd)


def _reserved_usd(visit: Visit, call: Call) -> float:
    """What the visit holds, as if it had been reserved for whoever answered."""
    if not visit.quota.has_budget:
        return visit.held_usd
    cost_usd = call.decision.forecast.cost_usd
    chosen, answered = cost_usd.item(call.decision.ranking[0]), cost_usd.item(call.position)
    return visit.held_usd if np.isnan(answered - chosen) else visit.held_usd + answered - chosen
