"""Who asks, and in which conversation: what a decision and its record need to know of it."""

from dataclasses import dataclass

from router import SessionState

__all__ = ["ANONYMOUS", "Standing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Of one request. Without a key there is neither tenant nor key id."""

    tenant: str | None = None
    key_id: str | None = None
    session_id: str | None = None
    session: SessionState | None = None  # what was remembered of the conversation


ANONYMOUS = Standing()
