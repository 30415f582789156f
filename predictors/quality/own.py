"""Models of one's own table by its ensemble, all others by the model for everybody."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from catalog import Floats
from predictors.errors import BadArtefactError
from predictors.persistence import load_artefact, save_artefact

from .ensemble import StackedEnsemble
from .protocol import BoundQuality, Matrix
from .state import learned, restore

__all__ = ["PreferringOwn", "load_ensemble", "save_ensemble"]

_FOLDER, _KIND = "ensemble", "ensemble"


class PreferringOwn:
    """A bound model in which some candidates have an ensemble that was fitted to their own outcomes.

    The two are never mixed for one candidate: an ensemble's leads over the best single model hold among its own
    models, and what a profile tells of the others has its wider error to be cautious by.

    Args:
        general: bound to all candidates.
        ensemble: fitted to a table of outcomes.
        columns: the ensemble's column by the candidate's position, for those that it knows.
    """

    def __init__(self, general: BoundQuality, ensemble: StackedEnsemble, columns: Mapping[int, int]) -> None:
        self._general, self._ensemble = general, ensemble
        self._at = np.array(list(columns), dtype=np.int64)
        self._columns = np.array(list(columns.values()), dtype=np.int64)

    def estimate(self, features: Matrix) -> tuple[Matrix, Matrix, Floats]:
        """See `BoundQuality.estimate`; how familiar a query is, the ensemble says."""
        mean, se, _ = self._general.estimate(features)
        own = self._ensemble.predict(np.atleast_2d(features))
        shape = (*features.shape[:-1], len(self._at))
        mean[..., self._at] = own.mean[:, self._columns].reshape(shape)
        se[..., self._at] = own.se[:, self._columns].reshape(shape)
        return mean, se, own.familiarity.reshape(features.shape[:-1])


def save_ensemble(folder: Path, ensemble: StackedEnsemble) -> str:
    """Write what it has learned into a folder of its own within `folder`, and return the digest."""
    return save_artefact(folder / _FOLDER, learned(ensemble), {"kind": _KIND})


def load_ensemble(folder: Path, *, digest: str) -> StackedEnsemble:
    """Read what `save_ensemble` wrote.

    Raises:
        BadArtefactError: it is missing, damaged, or not the one that belongs to this predictor.
    """
    arrays, manifest = load_artefact(folder / _FOLDER, kind=_KIND)
    if manifest["arrays_sha256"] != digest:
        raise BadArtefactError(path=str(folder / _FOLDER), problem="it belongs to another predictor; train again")
    ensemble = StackedEnsemble()
    restore(ensemble, arrays)
    return ensemble
