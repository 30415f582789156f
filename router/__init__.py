"""Which model should answer. Pure: no clock, no environment, no socket, no global random state."""

from .choice.pareto import hypervolume, non_dominated
from .decision import Bools, Decision, Screening
from .errors import InvalidRoutingError, NoEligibleModelError, RoutingError, TooLong
from .fake import FixedForecasts, forecast_of
from .request import RoutingRequest
from .router import Decider, Router
from .session import SessionState
from .telling.explain import explain, shadow_prices
from .telling.record import CandidateRows, decision_record, routing_record
from .vocabulary.configured import configured_policies
from .vocabulary.flags import Reading, read_options
from .wishes.constraints import Constraints
from .wishes.goals import GOALS, Goals
from .wishes.options import OnInfeasible, RoutingOptions
from .wishes.policy import Policy
from .wishes.presets import PRESETS

__all__ = [
    "GOALS",
    "PRESETS",
    "Bools",
    "CandidateRows",
    "Constraints",
    "Decider",
    "Decision",
    "FixedForecasts",
    "Goals",
    "InvalidRoutingError",
    "NoEligibleModelError",
    "OnInfeasible",
    "Policy",
    "Reading",
    "Router",
    "RoutingError",
    "RoutingOptions",
    "RoutingRequest",
    "Screening",
    "SessionState",
    "TooLong",
    "configured_policies",
    "decision_record",
    "explain",
    "forecast_of",
    "hypervolume",
    "non_dominated",
    "read_options",
    "routing_record",
    "shadow_prices",
]
