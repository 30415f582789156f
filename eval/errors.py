"""What can be wrong with a measurement.

ParetoGateError
└── EvalError
    ├── NoOverlapError            the evaluated policy would make none of the logged choices       (ValueError)
    ├── UndefinedMetricError      the numbers given do not define the metric                       (ValueError)
    ├── UnknownDatasetError       no adapter answers to that name, and no file is there            (LookupError)
    ├── MissingFactsError         a policy rests on facts that the evidence does not tell          (ValueError)
    ├── MissingDataError          a public dataset is not where it was looked for
    ├── MissingFileError          a file that was named is not there
    └── InvalidReplayError        what was asked of a replay cannot be done                        (ValueError)
"""

from collections.abc import Sequence

from catalog import ParetoGateError
from predictors.journal.outcomes import COLLECT_FIRST, is_journal_stream

__all__ = [
    "EvalError",
    "InvalidReplayError",
    "MissingDataError",
    "MissingFactsError",
    "MissingFileError",
    "NoOverlapError",
    "UndefinedMetricError",
    "UnknownDatasetError",
]


class EvalError(ParetoGateError):
    """Something could not be measured."""


class NoOverlapError(EvalError, ValueError):
    """The log says nothing about the evaluated policy."""


class MissingFactsError(EvalError, ValueError):
    """A policy weighs or demands what a journal does not keep of its candidates, or a table of its models."""

    def __init__(
        self,
        policy: str,
        *,
        facts: Sequence[str],
        source: str = "a journal does not keep of its candidates",
        remedy: str = "value one that goes by quality, cost and latency",
    ) -> None:
        super().__init__(f"policy {policy!r} goes by {', '.join(facts)}, which {source}; {remedy}")
        self.policy, self.facts = policy, tuple(facts)


class UndefinedMetricError(EvalError, ValueError):
    """The numbers given do not define the metric; the message says which condition fails."""


class UnknownDatasetError(EvalError, LookupError):
    """Neither a public dataset nor a file."""

    def __init__(self, name: str, *, known: Sequence[str]) -> None:
        if is_journal_stream(name):
            name = "the address of a Redis"
            super().__init__(COLLECT_FIRST)
        else:
            super().__init__(f"{name!r} is neither a file nor a public dataset; the datasets are {', '.join(known)}")
        self.name, self.known = name, tuple(known)


class MissingDataError(EvalError):
    """A public dataset is not where it was looked for."""

    def __init__(self, *, path: str, holds: str = "routing") -> None:
        """`holds`: the folder of such data, which is looked for in the one that --data names."""
        super().__init__(f"{path} does not exist; point --data or PARETOGATE_DATA at the folder that holds `{holds}`")
        self.path = path


class MissingFileError(EvalError):
    """A file that was named is not there."""

    def __init__(self, *, path: str) -> None:
        super().__init__(f"{path} does not exist; name a file that does")
        self.path = path


class InvalidReplayError(EvalError, ValueError):
    """What was asked of a replay cannot be done with this table."""
