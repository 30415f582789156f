"""Which predictor decides in every replica that shares a journal."""

from .order import Order, Promoted
from .sharing import Champion, NotSharedError, PredictorWaitsError, SharedPredictors, take_up_at_start

__all__ = [
    "Champion",
    "NotSharedError",
    "Order",
    "PredictorWaitsError",
    "Promoted",
    "SharedPredictors",
    "take_up_at_start",
]
