"""What can be wrong with a predictor.

ParetoGateError
└── PredictorError
    ├── NotFittedError            predict was called before fit
    ├── InvalidOutcomesError      a table of outcomes lacks a column or holds an impossible value  (ValueError)
    ├── BadArtefactError          a saved predictor is missing, damaged or of another version      (ValueError)
    └── EncoderUnavailableError   the encoder's package, weights or endpoint cannot be had
        └── EncoderAwayError      its endpoint does not answer for the moment: later it may
"""

from catalog import ParetoGateError

__all__ = [
    "BadArtefactError",
    "EncoderAwayError",
    "EncoderUnavailableError",
    "InvalidOutcomesError",
    "NotFittedError",
    "PredictorError",
]


class PredictorError(ParetoGateError):
    """Something about a predictor is wrong."""


class NotFittedError(PredictorError):
    """An estimator was asked to predict before it was fitted."""

    def __init__(self, estimator: object) -> None:
        super().__init__(f"{type(estimator).__name__} has not been fitted; call fit, or load a saved one")


class InvalidOutcomesError(PredictorError, ValueError):
    """A table of outcomes lacks a column or holds an impossible value."""


class BadArtefactError(PredictorError, ValueError):
    """A saved predictor is missing, damaged or of another version."""

    def __init__(self, *, path: str, problem: str, remedy: str = "train it again with `paretogate train`") -> None:
        super().__init__(f"{path}: {problem}; {remedy}")
        self.path, self.problem = path, problem


class EncoderUnavailableError(PredictorError):
    """The encoder's package, weights or endpoint cannot be had; the message says how to get it."""


class EncoderAwayError(EncoderUnavailableError):
    """The encoder's endpoint cannot be reached, is too slow, or says that it cannot answer now."""
