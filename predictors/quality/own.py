"""Models of one's own table by its ensemble, all others by the model for everybody."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from catalog import Floats, ModelProfile
from predictors.errors import BadArtefactError, NotFittedError
from predictors.persistence import load_artefact, save_artefact

from .ensemble import StackedEnsemble
from .protocol import BoundQuality, Matrix
from .state import learned, restore

__all__ = ["PreferringOwn", "TableEnsemble", "load_ensembles", "save_ensembles"]

_KIND = "ensemble"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableEnsemble:
    """An ensemble, and the models of the table it was fitted to, in the order of its columns.

    A table may hold several configurations of one model, such as prompted and native function calls: each has a name
    and a column of its own, and they share a profile.
    """

    names: tuple[str, ...]  # as the table writes them
    models: tuple[str, ...]  # ids of their profiles
    ensemble: StackedEnsemble

    def columns(self, profiles: Sequence[ModelProfile], names: Sequence[str]) -> dict[int, list[int]]:
        """The columns that speak for each candidate, by its position; those without any are left out.

        The one of its own name, or else all of its profile.
        """
        column = {name: i for i, name in enumerate(self.names)}
        found = {}
        for at, (profile, name) in enumerate(zip(profiles, names, strict=True)):
            same = {profile.id, *profile.aliases}
            of_profile = [i for i, model in enumerate(self.models) if model in same]
            if known := [column[name]] if name in column else of_profile:
                found[at] = known
        return found


class PreferringOwn:
    """A bound model in which some candidates have an ensemble that was fitted to their own outcomes.

    The two are never mixed for one candidate: an ensemble's leads over the best single model hold among its own
    models, and what a profile tells of the others has its wider error to be cautious by. Where the best single model of
    the table is no candidate, leads are taken over the best one that is: no lead is believed for want of it.

    Args:
        general: bound to all candidates.
        ensemble: fitted to a table of outcomes.
        columns: the ensemble's columns by the candidate's position, for those that it knows. Several count alike.
    """

    def __init__(self, general: BoundQuality, ensemble: StackedEnsemble, columns: Mapping[int, Sequence[int]]) -> None:
        self._general, self._ensemble = general, ensemble
        self._at = np.array(list(columns), dtype=np.int64)
        n_columns = 1 + max(max(own) for own in columns.values())
        self._share = np.zeros((n_columns, len(columns)))  # of each column in each candidate that is known
        for known, own in enumerate(columns.values()):
            self._share[list(own), known] = 1.0 / len(own)
        self._best = ensemble.best_among(np.flatnonzero(self._share.any(axis=1)).tolist())

    def estimate(self, features: Matrix) -> tuple[Matrix, Matrix, Floats]:
        """See `BoundQuality.estimate`; how familiar a query is, the ensemble says."""
        mean, se, _ = self._general.estimate(features)
        own = self._ensemble.predict(np.atleast_2d(features), best=self._best)
        shape = (*features.shape[:-1], len(self._at))
        used = slice(len(self._share))
        mean[..., self._at] = (own.mean[:, used] @ self._share).reshape(shape)
        se[..., self._at] = (own.se[:, used] @ self._share).reshape(shape)
        return mean, se, own.familiarity.reshape(features.shape[:-1])


def save_ensembles(folder: Path, tables: Sequence[TableEnsemble]) -> list[dict[str, Any]]:
    """Write what each has learned into a folder of its own within `folder`; returns what `load_ensembles` needs."""
    written = []
    for number, table in enumerate(tables):
        name = f"ensemble-{number}"
        digest = save_artefact(folder / name, learned(table.ensemble), {"kind": _KIND})
        written.append({"folder": name, "sha256": digest, "names": list(table.names), "models": list(table.models)})
    return written


def load_ensembles(folder: Path, written: Sequence[Mapping[str, Any]], *, dim: int) -> tuple[TableEnsemble, ...]:
    """Read what `save_ensembles` wrote; queries have `dim` features.

    Raises:
        BadArtefactError: one is missing, damaged, or not the one that belongs to this predictor and program.
    """
    return tuple(_load(_within(folder, str(entry["folder"])), entry, dim) for entry in written)


def _within(folder: Path, name: str) -> Path:
    """A manifest may come from elsewhere: it names no folder but those beside it."""
    if name == ".." or Path(name).name != name:
        raise BadArtefactError(path=str(folder), problem=f"its ensemble lies elsewhere ({name[:80]!r})")
    return folder / name


def _load(folder: Path, entry: Mapping[str, Any], dim: int) -> TableEnsemble:
    arrays, manifest = load_artefact(folder, kind=_KIND)
    if manifest["arrays_sha256"] != entry["sha256"]:
        raise BadArtefactError(path=str(folder), problem="it belongs to another predictor; train again")
    ensemble = StackedEnsemble()
    try:
        restore(ensemble, arrays)
        if not np.isfinite(ensemble.predict(np.zeros((1, dim))).mean).all():
            raise ValueError("what it forecasts is no number")  # noqa: TRY301 - answered just below
    except (ArithmeticError, AttributeError, LookupError, NotFittedError, TypeError, ValueError) as exc:
        problem = f"another version of this program made it ({exc}); train again"
        raise BadArtefactError(path=str(folder), problem=problem) from exc
    return TableEnsemble(names=tuple(entry["names"]), models=tuple(entry["models"]), ensemble=ensemble)
