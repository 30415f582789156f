"""Models of one's own table by its ensemble, all others by the model for everybody."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from catalog import Floats
from predictors.errors import BadArtefactError
from predictors.persistence import load_artefact, save_artefact

from .ensemble import StackedEnsemble
from .protocol import BoundQuality, Matrix
from .state import learned, restore

__all__ = ["PreferringOwn", "TableEnsemble", "load_ensembles", "save_ensembles"]

_KIND = "ensemble"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableEnsemble:
    """An ensemble, and the models of the table it was fitted to, in the order of its columns."""

    models: tuple[str, ...]
    ensemble: StackedEnsemble


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


def save_ensembles(folder: Path, tables: Sequence[TableEnsemble]) -> list[dict[str, Any]]:
    """Write what each has learned into a folder of its own within `folder`; returns what `load_ensembles` needs."""
    written = []
    for number, table in enumerate(tables):
        name = f"ensemble-{number}"
        digest = save_artefact(folder / name, learned(table.ensemble), {"kind": _KIND})
        written.append({"folder": name, "sha256": digest, "models": list(table.models)})
    return written


def load_ensembles(folder: Path, written: Sequence[Mapping[str, Any]]) -> tuple[TableEnsemble, ...]:
    """Read what `save_ensembles` wrote.

    Raises:
        BadArtefactError: one is missing, damaged, or not the one that belongs to this predictor.
    """
    return tuple(_load(folder / entry["folder"], entry) for entry in written)


def _load(folder: Path, entry: Mapping[str, Any]) -> TableEnsemble:
    arrays, manifest = load_artefact(folder, kind=_KIND)
    if manifest["arrays_sha256"] != entry["sha256"]:
        raise BadArtefactError(path=str(folder), problem="it belongs to another predictor; train again")
    ensemble = StackedEnsemble()
    restore(ensemble, arrays)
    return TableEnsemble(models=tuple(entry["models"]), ensemble=ensemble)
