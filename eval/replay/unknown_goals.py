"""What a table does not tell of its models, and the policies that cannot be replayed for want of it.

What is unknown of all candidates makes no difference between them. A policy that goes mainly by such facts would be
decided by what little else it weighs, and shown under its name; one that goes by them a little is replayed without.
"""

from collections.abc import Mapping, Sequence

from eval.contenders.contender import Contender, FittedContender
from eval.errors import MissingFactsError
from eval.outcomes.table import ReplayTable
from predictors import Forecast, Query
from router import PRESETS, Goals, Policy, forecast_of

__all__ = ["unknown_goals"]

_OR_ELSE = ", or add --predictor, which knows more of models that the catalog has"


def unknown_goals(
    table: ReplayTable, contender: Contender, policies: Sequence[str], configured: Mapping[str, Policy]
) -> dict[str, tuple[str, ...]]:
    """Of each policy that somebody asked for, the goals it weighs that are unknown of every model, where there are any.

    Args:
        table: what is to be replayed.
        contender: whose forecasts decide.
        policies: their names.
        configured: the operator's own.

    Raises:
        MissingFactsError: one weighs more of these than of all others beside quality.
    """
    goals, forecast = Goals(table.pool), _forecast(table, contender)
    found: dict[str, tuple[str, ...]] = {}
    for name in policies:
        weights = (configured.get(name) or PRESETS[name]).weights
        unknown = tuple(goal for goal, weight in weights.items() if weight > 0 and not goals.tells(goal, forecast))
        known = sum(weight for goal, weight in weights.items() if goal != "quality" and goal not in unknown)
        if sum(weights[goal] for goal in unknown) > known:
            raise MissingFactsError(
                name,
                facts=unknown,
                source=f"nothing tells of the models of {table.name}",
                remedy="replay one that goes by quality and cost" + ("" if _is_fitted(contender) else _OR_ELSE),
            )
        if unknown:
            found[name] = unknown
    return found


def _forecast(table: ReplayTable, contender: Contender) -> Forecast:
    """One that knows what this contender's all know."""
    if _is_fitted(contender):
        return contender.source(table, table).forecast(Query.from_prompt(table.prompt[0]))
    return forecast_of(table.pool, cost_usd=0.0)  # what is learned anew is quality and cost


def _is_fitted(contender: Contender) -> bool:
    return isinstance(contender, FittedContender)
