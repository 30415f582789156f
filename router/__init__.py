"""Which model should answer. Pure: no clock, no environment, no socket, no global random state."""

from .constraints import Constraints
from .decision import Bools, Decision, Screening
from .errors import InvalidRoutingError, NoEligibleModelError, RoutingError
from .options import OnInfeasible, RoutingOptions
from .router import Decider
from .session import SessionState

__all__ = [
    "Bools",
    "Constraints",
    "Decider",
    "Decision",
    "InvalidRoutingError",
    "NoEligibleModelError",
    "OnInfeasible",
    "RoutingError",
    "RoutingOptions",
    "Screening",
    "SessionState",
]
