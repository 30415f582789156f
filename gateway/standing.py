"""Who asks, and in which conversation: what a decision and its record need to know of it."""

from catalog import record
from router import SessionState

__all__ = ["ANONYMOUS", "Standing"]


@record
class Standing:
    """Of one request. Without a key there is neither tenant nor key id."""

    tenant: str | None = None
    key_id: str | None = None
    session_id: str | None = None
    session: SessionState | None = None  # what was remembered of the conversation


ANONYMOUS = Standing()
