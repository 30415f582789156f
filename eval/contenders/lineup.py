"""Who takes part in a replay: the project's predictor first, then what it has to beat."""

from collections.abc import Callable
from pathlib import Path

from predictors.encoders import Encoder, open_encoder
from predictors.features import Features
from predictors.forecaster import Forecaster
from predictors.quality import LogisticFactorization, NearestNeighbours, QualityPredictor, StackedEnsemble

from .contender import Contender, FittedContender, LearnedContender
from .learners import FeatureMemory, Learner, PredictorLearner, TfidfNeighbours, TfidfRidge

__all__ = ["OURS", "SHIPPED", "lineup"]

OURS = "paretogate"
SHIPPED = Path("default")  # stands for the predictor in the package

_LEARNED: dict[str, Callable[[], QualityPredictor]] = {
    OURS: StackedEnsemble,  # what is fitted to one table of outcomes
    "factorization": LogisticFactorization,  # what is shipped, since it places models that nobody has tried
    "encoder_knn": NearestNeighbours,
}


def lineup(
    saved: Path | None = None, *, encoder: Encoder | None = None, encoder_key: str | None = None
) -> tuple[Contender, ...]:
    """Ours and its rivals; rivals always learn anew on every fold.

    Args:
        saved: a predictor as `paretogate train` writes it, or `SHIPPED`, which then learns nothing from the replayed
            table; None fits the project's predictor on every fold.
        encoder: what all that learn here read prompts with; None is the static one.
        encoder_key: of the endpoint that the saved predictor's own encoder may be behind.
    """
    reader = open_encoder("static") if encoder is None else encoder  # an encoder that remembers nothing yet is falsy
    features = FeatureMemory(Features(reader))
    learners: list[Learner] = [
        PredictorLearner(name=name, make=make, features=features) for name, make in _LEARNED.items()
    ]
    learned = tuple(
        LearnedContender(learner=learner, features=features) for learner in (*learners, TfidfNeighbours(), TfidfRidge())
    )
    if saved is None:
        return learned
    forecaster = Forecaster.load(None if saved == SHIPPED else saved, encoder_key=encoder_key)
    return (FittedContender(name=OURS, bind=forecaster.bind), *learned[1:])
