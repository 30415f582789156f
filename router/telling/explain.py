"""Why that model: every candidate with its forecast and its rejections, the front, and what each constraint costs."""

from collections.abc import Collection, Mapping
from typing import cast

import numpy as np

from catalog import Floats
from predictors import Thinking
from router.decision import Bools, Decision
from router.screening.infeasible import RELAXABLE, admitting, fact, plain
from router.wishes.options import RoutingOptions

__all__ = ["explain", "shadow_prices"]

_Z90 = 1.6448536269514722  # intervals cover nine in ten


_AMOUNTS = ("cost_usd", "latency_s", "ttft_s")


def explain(
    decision: Decision,
    options: RoutingOptions,
    *,
    decision_id: str | None = None,
    versions: Mapping[str, str] | None = None,
    thinking: Thinking | None = None,
    concealed: Collection[str] = (),
) -> dict[str, object]:
    """The explanation as callers see it; intervals cover 90 %, unknown is None.

    `thinking` is what the request said of it, which lengths, costs and latencies were forecast for; `concealed` are
    ids of models that the caller is not told of, none of which can have been chosen.
    """
    told = [i for i in _in_order(decision) if decision.pool.ids[i] not in concealed]
    return {
        "decision_id": decision_id,
        "policy": decision.policy,
        "chosen": decision.chosen.profile.id,
        "backend": decision.chosen.backend.id if decision.chosen.backend else None,
        "reason": decision.reason,
        "relaxed": decision.relaxed,
        "propensity": decision.propensity,
        "explored": decision.explored,
        "on_infeasible": options.on_infeasible,
        "familiarity": decision.forecast.familiarity,
        "thinking": thinking.facts() if thinking is not None else None,
        "objectives": list(decision.objectives),
        "front": [decision.pool.ids[i] for i in decision.front if i in told],
        "candidates": [_candidate(decision, i) for i in told],
        "shadow_prices": shadow_prices(decision),
        "versions": dict(versions or {}),
    }


def shadow_prices(decision: Decision) -> list[dict[str, object]]:
    """Per binding constraint on an amount: the smallest relaxation that changes the choice, and what it gains.

    Binding means that the policy would choose somebody else if this constraint alone were less strict.
    """
    if decision.value is None or decision.relaxed is not None:
        return []
    screening, found = decision.screening, []
    now = _choice(decision, screening.eligible)
    broken = screening.violated.sum(axis=0)
    for k, name in enumerate(screening.constraints):
        if name not in RELAXABLE:
            continue
        values = cast("Floats", screening.values[k])
        far = np.asarray(values) * (1.0 if name.startswith("max_") else -1.0)  # (n_candidates,), how far it has to move
        alone = screening.violated[k] & (broken == 1) & ~np.isnan(far)
        for nearest in sorted(np.flatnonzero(alone).tolist(), key=far.__getitem__):
            then = _choice(decision, screening.eligible | (alone & (far <= far[nearest])))
            if then not in {now, decision.ranking[0]}:
                found.append(
                    {
                        "constraint": name,
                        "limit": plain(screening.limits[k]),
                        "relax_to": admitting(screening, k, nearest),
                        "chosen": decision.pool.ids[then],
                        "gain": _gain(decision, then),
                    }
                )
                break
    return found


def _choice(decision: Decision, eligible: Bools) -> int:
    """Whom the policy would choose among these; of equals the cheapest, who alone is on the front."""
    assert decision.value is not None  # noqa: S101 - narrows the type; its caller has looked
    admitted, quality = eligible, decision.cautious_quality
    if decision.quality_within is not None and quality is not None:
        best = np.max(quality, where=eligible, initial=-np.inf)
        admitted = eligible & (quality >= best - decision.quality_within)
    value = np.where(admitted, decision.value, -np.inf)
    return int(np.lexsort((decision.forecast.cost_usd, -value, ~admitted))[0])


def _gain(decision: Decision, other: int) -> dict[str, object]:
    """What choosing `other` would gain over the chosen one, in the objective that it improves by the largest share."""
    forecast, chosen = decision.forecast, decision.ranking[0]
    gains = [("quality", forecast.quality[other] - forecast.quality[chosen], forecast.quality[chosen])]
    for amount in ("cost_usd", "latency_s"):
        column = getattr(forecast, amount)
        gains.append((amount, column[chosen] - column[other], column[chosen]))
    shares = [(gain / before, name, gain) for name, gain, before in gains if before > 0 and gain > 0]
    if not shares:
        assert decision.value is not None  # noqa: S101 - narrows the type; its caller has looked
        return {
            "objective": "utility",
            "absolute": float(decision.value[other] - decision.value[chosen]),
            "relative": None,
        }
    relative, objective, absolute = max(shares)
    return {"objective": objective, "absolute": float(absolute), "relative": float(relative)}


def _in_order(decision: Decision) -> list[int]:
    """Ranked candidates first, the rest as they stand in the pool."""
    ranked = set(decision.ranking)
    return [*decision.ranking, *(i for i in range(len(decision.pool)) if i not in ranked)]


def _candidate(decision: Decision, i: int) -> dict[str, object]:
    forecast, screening = decision.forecast, decision.screening
    quality, error = float(forecast.quality[i]), float(forecast.quality_se[i])
    broken = np.flatnonzero(screening.violated[:, i]).tolist()
    described: dict[str, object] = {
        "id": decision.pool.ids[i],
        "backend": decision.pool.backend_ids[i],
        "eligible": not broken,
        "rejected_by": [
            {
                "constraint": screening.constraints[k],
                "limit": plain(screening.limits[k]),
                "value": fact(screening, k, i),
            }
            for k in broken
        ],
        "on_front": i in decision.front,
        "quality": {
            "mean": quality,
            "lower": max(quality - _Z90 * error, 0.0),
            "upper": min(quality + _Z90 * error, 1.0),
        },
    }
    for amount in _AMOUNTS:
        described[amount] = _interval(getattr(forecast, amount)[i], getattr(forecast, f"{amount}_sd")[i])
    described["utility"] = plain(decision.utility[i])
    return described


def _interval(mean: float, sd: float) -> dict[str, object]:
    """Mean and 90 % interval; None where there is no basis for one."""
    half = _Z90 * sd
    lower = np.maximum(mean - half, 0.0)  # stays NaN where the spread is unknown
    return {"mean": plain(mean), "lower": plain(lower), "upper": plain(mean + half)}
