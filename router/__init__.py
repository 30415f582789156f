"""Which model should answer. Pure: no clock, no environment, no socket, no global random state."""

from .constraints import Constraints
from .decision import Bools, Decision, Screening
from .errors import InvalidRoutingError, NoEligibleModelError, RoutingError
from .fake import FixedForecasts, forecast_of
from .options import OnInfeasible, RoutingOptions
from .pareto import hypervolume, non_dominated
from .policies import PRESETS, Policy
from .router import Decider, Router
from .session import SessionState

__all__ = [
    "PRESETS",
    "Bools",
    "Constraints",
    "Decider",
    "Decision",
    "FixedForecasts",
    "InvalidRoutingError",
    "NoEligibleModelError",
    "OnInfeasible",
    "Policy",
    "Router",
    "RoutingError",
    "RoutingOptions",
    "Screening",
    "SessionState",
    "forecast_of",
    "hypervolume",
    "non_dominated",
]
