"""Named preferences: what to trade for what when the caller does not say it in numbers."""

from .policy import Policy
from .presets import BALANCED, PRESETS

__all__ = ["BALANCED", "PRESETS", "Policy"]
