"""How a quality model is made from outcomes and profiles: the one that is shipped, and anyone's own.

`fitting` has the steps, which docs/quality.md explains; `shipped` which public datasets may be shipped.
"""

from .fitting import Progress, fit_quality_model
from .model_side import releases_of
from .reproducible import library_versions, single_threaded
from .shipped import SHIPPED_DATASETS, UNFIT_BENCHMARKS, shipped_outcomes

__all__ = [
    "SHIPPED_DATASETS",
    "UNFIT_BENCHMARKS",
    "Progress",
    "fit_quality_model",
    "library_versions",
    "releases_of",
    "shipped_outcomes",
    "single_threaded",
]
