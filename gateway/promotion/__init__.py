"""Which predictor decides in every replica that shares a journal."""

from .order import Order, Promoted
from .sharing import NotSharedError, SharedPredictors, take_up_at_start

__all__ = ["NotSharedError", "Order", "Promoted", "SharedPredictors", "take_up_at_start"]
