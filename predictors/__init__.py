"""What a model would do with a prompt, before asking it."""

from .errors import BadArtefactError, EncoderUnavailableError, InvalidOutcomesError, NotFittedError, PredictorError
from .forecast import Forecast, ForecastSource, Load
from .query import Query

__all__ = [
    "BadArtefactError",
    "EncoderUnavailableError",
    "Forecast",
    "ForecastSource",
    "InvalidOutcomesError",
    "Load",
    "NotFittedError",
    "PredictorError",
    "Query",
]
