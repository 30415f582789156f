"""Expected quality of every model on a prompt."""

from .factorization import LogisticFactorization
from .model import QualityModel
from .protocol import BoundQuality, QualityEstimate, QualityPredictor, TrainingSet

__all__ = [
    "BoundQuality",
    "LogisticFactorization",
    "QualityEstimate",
    "QualityModel",
    "QualityPredictor",
    "TrainingSet",
]
