"""When nobody satisfies every constraint: who comes closest, and what would have to give way. Never silently."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import cast

import numpy as np

from catalog import PROTOCOLS, Floats, Pool
from predictors import Forecast, Query
from predictors.cost import input_token_ratio, input_tokens_added
from router.decision import Bools, Screening
from router.errors import NoEligibleModelError, TooLong

__all__ = ["RELAXABLE", "Shortfall", "admitting", "fact", "no_eligible", "plain", "shortfall"]

# `on_infeasible` may stretch an amount, never a boundary: who may see the prompt, under which licence, what must work.
RELAXABLE = frozenset(
    {
        "max_cost_usd",
        "max_price_usd_per_mtok.input",
        "max_price_usd_per_mtok.output",
        "max_latency_s",
        "max_ttft_s",
        "min_quality",
        "max_params_b",
        "max_active_params_b",
        "released_after",
        "knowledge_after",
        "max_energy_wh",
        "max_risk",
        "max_agent_risk",
    }
)

_UNKNOWN_IS_FAR = 1e30  # an unknown fact is further from any limit than a known one, a limit of nothing included


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """How far each candidate is from being eligible."""

    relaxable: Bools  # (n_candidates,) True where only amounts stand in the way
    distance: Floats  # (n_candidates,) sum of relative excesses over those amounts
    broken: tuple[tuple[int, ...], ...]  # per candidate, positions of the constraints it breaks


def shortfall(screening: Screening) -> Shortfall:
    """Measure how far off everybody is."""
    n_constraints, n_candidates = screening.violated.shape
    distance = np.zeros(n_candidates)
    stretchable = np.array([name in RELAXABLE for name in screening.constraints], dtype=np.bool_)
    for k in range(n_constraints):
        if stretchable[k]:
            excess = _relative_excess(screening.limits[k], cast("Floats", screening.values[k]))
            distance += np.where(screening.violated[k], excess, 0.0)
    return Shortfall(
        relaxable=np.logical_not(screening.violated[~stretchable].any(axis=0)),
        distance=distance,
        broken=tuple(tuple(np.flatnonzero(column).tolist()) for column in screening.violated.T),
    )


def no_eligible(
    pool: Pool, screening: Screening, *, query: Query | None = None, forecast: Forecast | None = None
) -> NoEligibleModelError:
    """The error that tells how many each constraint rejects, and the smallest change that would admit somebody.

    `query` and `forecast` are of the request, to tell whether it is too long.
    """
    counts = screening.violated.sum(axis=1).tolist()
    rejections = {name: n for name, n in zip(screening.constraints, counts, strict=True) if n}
    too_long = None if query is None or forecast is None else _too_long(pool, screening, query, forecast)
    return NoEligibleModelError(
        rejections=rejections, closest=_closest(pool, screening), unknown=_unknown(screening), too_long=too_long
    )


def plain(value: object) -> object:
    """A fact or a limit as JSON knows it: dates in ISO form, sets sorted, unknown as None."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, frozenset | set):
        return sorted(value)
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, tuple):
        return list(value)
    return value


def fact(screening: Screening, constraint: int, candidate: int) -> object:
    """What a candidate has where a constraint looks, as JSON knows it; None where it is unknown."""
    value = plain(screening.values[constraint][candidate])
    if isinstance(screening.limits[constraint], date) and isinstance(value, float):
        return date.fromordinal(int(value)).isoformat()
    return value


def admitting(screening: Screening, constraint: int, candidate: int) -> object:
    """The nearest limit that would admit a candidate, as JSON knows it; None where its fact is unknown.

    What was released on a day was not released after it, so that of dates it is the day before.
    """
    value = screening.values[constraint][candidate]
    if isinstance(screening.limits[constraint], date) and isinstance(value, float) and math.isfinite(value):
        return date.fromordinal(int(value) - 1).isoformat()
    return fact(screening, constraint, candidate)


def _unknown(screening: Screening) -> tuple[str, ...]:
    """Constraints on a fact that no candidate has."""
    return tuple(
        name
        for name, values, violated in zip(screening.constraints, screening.values, screening.violated, strict=True)
        if len(values) and violated.all() and all(plain(value) is None for value in values)
    )


def _too_long(pool: Pool, screening: Screening, query: Query, forecast: Forecast) -> TooLong | None:
    """Measured by the widest window among those that nothing else keeps from answering."""
    if "context" not in screening.constraints:
        return None
    violated = screening.violated
    by_length_alone = violated[screening.constraints.index("context")] & (violated.sum(axis=0) == 1)  # (n_candidates,)
    if not by_length_alone.any():
        return None
    widest = int(np.argmax(np.where(by_length_alone, pool.context_tokens, -1.0)))
    read = query.input_tokens * input_token_ratio(pool).item(widest) + input_tokens_added(pool).item(widest)
    expected = np.nan_to_num(forecast.output_tokens).item(widest)
    allowed = query.max_output_tokens if query.max_output_tokens is not None else expected
    return TooLong(
        input_tokens=math.ceil(read), output_tokens=math.ceil(allowed), window_tokens=int(pool.context_tokens[widest])
    )


def _closest(pool: Pool, screening: Screening) -> dict[str, object] | None:
    if not len(pool):
        return None
    off = shortfall(screening)
    nearest = min(range(len(pool)), key=lambda i: (not off.relaxable[i], len(off.broken[i]), off.distance[i], i))
    changes = [_change(screening, k, nearest) for k in off.broken[nearest]]
    return {"id": pool.ids[nearest], **changes[0], "also": changes[1:]}


def _change(screening: Screening, constraint: int, candidate: int) -> dict[str, object]:
    """What would have to give way; of abilities also which are lacking."""
    change = {"constraint": screening.constraints[constraint], "relax_to": admitting(screening, constraint, candidate)}
    limit, has = screening.limits[constraint], screening.values[constraint][candidate]
    if isinstance(has, frozenset):
        change["relax_to"] = sorted(has - PROTOCOLS)  # what a backend speaks is nothing that a wish can name
    if isinstance(limit, frozenset) and isinstance(has, frozenset) and not limit <= has:
        change["lacks"] = sorted(limit - has)
    return change


def _relative_excess(limit: object, values: Floats) -> Sequence[float] | Floats:
    if isinstance(limit, date):
        return np.nan_to_num(np.abs(limit.toordinal() - values) / 365.0, nan=_UNKNOWN_IS_FAR)  # in years
    amount = float(cast("float", limit))
    return np.nan_to_num(np.abs(values - amount) / max(abs(amount), 1e-9), nan=_UNKNOWN_IS_FAR)
