"""Expected quality of every model on a prompt.

`StackedEnsemble` is the predictor to fit to one table of outcomes; `QualityModel` is the one that is shipped and
served, which also places models that have a profile but no outcomes.
"""

from .baselines import ClusterMeans, GlobalMeans, TopicMeans
from .ensemble import StackedEnsemble
from .factorization import LogisticFactorization
from .linear import RidgeHeads
from .model import QualityModel
from .neighbours import NearestNeighbours
from .protocol import BoundQuality, QualityEstimate, QualityPredictor, TrainingSet
from .task_heads import TaskHeads

__all__ = [
    "BoundQuality",
    "ClusterMeans",
    "GlobalMeans",
    "LogisticFactorization",
    "NearestNeighbours",
    "QualityEstimate",
    "QualityModel",
    "QualityPredictor",
    "RidgeHeads",
    "StackedEnsemble",
    "TaskHeads",
    "TopicMeans",
    "TrainingSet",
]
