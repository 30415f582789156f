"""Expected quality of every model on a prompt.

`StackedEnsemble` is the predictor to fit to one table of outcomes; `QualityModel` is the one that is shipped and
served, which also places models that have a profile but no outcomes.
"""

from .ensemble import StackedEnsemble
from .members.baselines import ClusterMeans, GlobalMeans, TopicMeans
from .members.linear import RidgeHeads
from .members.neighbours import NearestNeighbours
from .members.task_heads import TaskHeads
from .model import QualityModel
from .placement.factorization import LogisticFactorization
from .protocol import BoundQuality, QualityEstimate, QualityPredictor, TrainingSet

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
