"""What a model would do with a prompt, before asking it."""

from .errors import BadArtefactError, EncoderUnavailableError, InvalidOutcomesError, NotFittedError, PredictorError
from .forecast import Forecast, ForecastSource, Load
from .forecaster import Forecaster
from .query import Query
from .reading import read_query
from .reliability import Reliability, reliability_of

__all__ = [
    "BadArtefactError",
    "EncoderUnavailableError",
    "Forecast",
    "ForecastSource",
    "Forecaster",
    "InvalidOutcomesError",
    "Load",
    "NotFittedError",
    "PredictorError",
    "Query",
    "Reliability",
    "read_query",
    "reliability_of",
]
