"""Which model should answer. Pure: no clock, no environment, no socket, no global random state."""

from .configured import configured_policies
from .constraints import Constraints
from .decision import Bools, Decision, Screening
from .errors import InvalidRoutingError, NoEligibleModelError, RoutingError, TooLong
from .explain import explain, shadow_prices
from .fake import FixedForecasts, forecast_of
from .flags import Reading, read_options
from .goals import GOALS, Goals
from .options import OnInfeasible, RoutingOptions
from .pareto import hypervolume, non_dominated
from .policies import PRESETS, Policy
from .record import CandidateRows, decision_record, routing_record
from .request import RoutingRequest
from .router import Decider, Router
from .session import SessionState

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
