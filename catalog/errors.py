"""What can be wrong with the catalog.

ParetoGateError                     everything this project raises on purpose
└── CatalogError
    ├── InvalidPriceError           a rate is negative or not a number              (ValueError)
    ├── InvalidProfileError         a profile or backend contradicts itself         (ValueError)
    ├── InvalidMeasurementError     scores or samples do not fit together            (ValueError)
    ├── InvalidOverlayError         an operator's file has an unknown or bad field  (ValueError)
    ├── ImportFailedError           a source of facts could not be read
    └── UnknownModelError           no profile answers to that name                 (LookupError)
"""

__all__ = [
    "CatalogError",
    "ImportFailedError",
    "InvalidMeasurementError",
    "InvalidOverlayError",
    "InvalidPriceError",
    "InvalidProfileError",
    "ParetoGateError",
    "UnknownModelError",
]


class ParetoGateError(Exception):
    """Everything this project raises on purpose."""


class CatalogError(ParetoGateError):
    """Something about the catalog is wrong."""


class InvalidPriceError(CatalogError, ValueError):
    """A rate is negative or not a number."""


class InvalidProfileError(CatalogError, ValueError):
    """A profile or a backend contradicts itself."""


class InvalidMeasurementError(CatalogError, ValueError):
    """Scores, answers or samples do not fit together, or there are none."""


class InvalidOverlayError(CatalogError, ValueError):
    """An operator's file names a field that does not exist, or gives it a value that cannot be."""

    def __init__(self, *, file: str, field: str, problem: str) -> None:
        super().__init__(f"{file}: {field}: {problem}")
        self.file, self.field, self.problem = file, field, problem


class ImportFailedError(CatalogError):
    """A source of facts could not be read at all; single bad entries are findings instead."""

    def __init__(self, *, source: str, problem: str) -> None:
        super().__init__(f"cannot import from {source}: {problem}")
        self.source, self.problem = source, problem


class UnknownModelError(CatalogError, LookupError):
    """No profile answers to that name."""

    def __init__(self, name: str, *, close: tuple[str, ...] = ()) -> None:
        hint = f"; did you mean {' or '.join(close)}?" if close else "; `paretogate catalog list` shows what there is"
        super().__init__(f"no model is called {name!r}{hint}")
        self.name, self.close = name, close
