"""One request, as a router sees it."""

from catalog import record
from predictors import Query

from .session import SessionState
from .wishes.options import RoutingOptions

__all__ = ["RoutingRequest"]


@record
class RoutingRequest:
    """What is asked, what the caller demands and prefers, and the conversation so far, if there is one."""

    query: Query
    options: RoutingOptions
    session: SessionState | None = None
