"""What a conversation has at stake when its model changes."""

from dataclasses import dataclass

__all__ = ["SessionState"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionState:
    """What the gateway knows of the conversation a request belongs to."""

    backend_id: str  # who answered last
    cached_tokens: int = 0  # of the prompt, likely still in that provider's cache
    pinned: bool = False  # provider-bound state (a reasoning signature) forbids any other provider
