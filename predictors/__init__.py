"""What a model would do with a prompt, before asking it."""

from .errors import (
    BadArtefactError,
    EncoderAwayError,
    EncoderUnavailableError,
    InvalidOutcomesError,
    NotFittedError,
    PredictorError,
)
from .forecast import Forecast, Load
from .forecaster import Forecaster
from .forecasts import Forecasts, ForecastSource, OneByOne
from .length.thinking import untold_tokens
from .query import Query
from .reading import read_query
from .reliability import Reliability, reliability_of
from .thinking import Thinking

__all__ = [
    "BadArtefactError",
    "EncoderAwayError",
    "EncoderUnavailableError",
    "Forecast",
    "ForecastSource",
    "Forecaster",
    "Forecasts",
    "InvalidOutcomesError",
    "Load",
    "NotFittedError",
    "OneByOne",
    "PredictorError",
    "Query",
    "Reliability",
    "Thinking",
    "read_query",
    "reliability_of",
    "untold_tokens",
]
