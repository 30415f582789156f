"""One request inside the gateway: who came, what it may spend, and what is held for it."""

from dataclasses import dataclass, field, replace

from gateway.keys import ApiKey
from gateway.standing import Standing
from gateway.state import Quota
from router import Reading

from .sessions import Conversation

__all__ = ["Visit"]


@dataclass(slots=True, kw_only=True)
class Visit:
    """Made by `Governor.enter`, and changed by nobody but the governor."""

    key: ApiKey | None
    reading: Reading
    standing: Standing
    conversation: Conversation
    holder: str
    quota: Quota
    wall_s: float
    lease_id: str
    headers: dict[str, str] = field(default_factory=dict)  # what the client is told of its limits
    spendable_usd: float | None = None  # where the budget is tighter than what the caller allows
    usd_left: float | None = None  # of the budget, whatever the caller allows
    held_tokens: int = 0
    held_usd: float = 0.0
    has_left: bool = False

    def spend_at_most(self, usd_left: float) -> None:
        """Nothing dearer than what is left; what has no price breaks the constraint too, so nothing is free."""
        options = self.reading.options
        limit = options.require.max_cost_usd
        if limit is None or usd_left < limit:
            self.spendable_usd = usd_left
            require = replace(options.require, max_cost_usd=max(0.0, usd_left))
            self.reading = replace(self.reading, options=replace(options, require=require))
