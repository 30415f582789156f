"""Who takes part in a replay: the project's predictor first, then what it has to beat."""

from pathlib import Path

from predictors.encoders.static import StaticEncoder
from predictors.features import Features
from predictors.quality.factorization import LogisticFactorization

from .contenders import Contender, LearnedContender
from .learners import FeatureMemory, PredictorLearner, TfidfNeighbours, TfidfRidge

__all__ = ["OURS", "lineup"]

OURS = "paretogate"


def lineup(saved: Path | None = None) -> tuple[Contender, ...]:
    """Ours and its rivals; rivals always learn anew on every fold.

    Args:
        saved: a predictor as `paretogate train` writes it, which then learns nothing from the replayed table; None
            fits the project's predictor on every fold.
    """
    features = FeatureMemory(Features(StaticEncoder.load()))
    learners = (
        PredictorLearner(name=OURS, make=LogisticFactorization, features=features),
        TfidfNeighbours(),
        TfidfRidge(),
    )
    return tuple(LearnedContender(learner=learner, features=features) for learner in learners)
