"""The quality model that serves: arrays in, numbers out, for models with outcomes and models with a profile alone.

`predictors.recipe` fits it (docs/quality.md has the steps), `folded` says what a fit becomes, `save` and `load` keep
that, and `bind` makes what answers for the candidates of a gateway: `vectors` where each of them stands, `bound` the
forecasts.
"""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

import numpy as np

from catalog import Ability, Floats, ModelProfile
from predictors.errors import BadArtefactError
from predictors.persistence import load_artefact, save_artefact

from .bound import BoundFactorization, of_candidates
from .folded import (
    ARRAYS,
    PER_MODEL,
    SCALARS,
    QualityFit,
    folded,
    numbers,
    restored_familiarity,
    restored_placing,
    restored_prior,
)
from .own import PreferringOwn, TableEnsemble, load_ensembles, save_ensembles
from .placement.support import Places
from .placement.vectors import ModelVectors
from .protocol import BoundQuality, Matrix

__all__ = ["QualityModel"]

_KIND = "quality"
_ENSEMBLES = "ensembles"  # in the manifest of a model that has some
_NOBODY = "nobody/no-model"  # has no outcomes


class QualityModel:
    """A fitted factorization, ready to be bound to the candidates of a gateway.

    A model with outcomes uses its own vector and head on the kinds of prompt that it was tried on (`support`). Any
    other, and that one elsewhere, gets a vector from its profile, with the error that models left out of training
    showed. Far from the training prompts every model falls back to its mean over them.

    A table in which most models answered most prompts has an ensemble too, which knows these models better
    (docs/quality.md) and speaks for them.
    """

    def __init__(
        self, *, arrays: Mapping[str, Any], manifest: Mapping[str, Any], ensembles: Sequence[TableEnsemble] = ()
    ) -> None:
        self.manifest = dict(manifest)
        self.ensembles = tuple(ensembles)
        self.models: tuple[str, ...] = tuple(manifest["models"])
        self.arrays = {name: np.asarray(arrays[name], dtype=np.float64) for name in ARRAYS}
        self.scalars = {name: float(manifest["scalars"][name]) for name in SCALARS}
        self._familiarity = restored_familiarity(self.arrays, self.scalars)
        self._prior = restored_prior(self.arrays, self.scalars)
        self._placing = restored_placing(self.scalars)
        self._vectors = ModelVectors(
            self.models,
            releases=dict(manifest.get("releases", {})),
            arrays=self.arrays,
            scalars=self.scalars,
            prior=self._prior,
            placing=self._placing,
        )

    @classmethod
    def from_fit(cls, fit: QualityFit, *, manifest: Mapping[str, Any], ensembles: Sequence[TableEnsemble] = ()) -> Self:
        """Fold a fit into the few arrays that serving needs, in single precision.

        Args:
            fit: what `predictors.recipe` found.
            manifest: provenance: `features` (name), `trained_on` and whatever else should be on record.
            ensembles: fitted to the same outcomes, or to tables among them.
        """
        described = {
            **manifest,
            "kind": _KIND,
            "models": list(fit.models),
            "scalars": {name: float(np.float32(value)) for name, value in numbers(fit).items()},
        }
        stored = {name: np.asarray(value, dtype=np.float32) for name, value in folded(fit).items()}
        return cls(arrays=stored, manifest=described, ensembles=ensembles)

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """Read a saved model; None reads the one in the package.

        Raises:
            BadArtefactError: the folder is missing, damaged, of another version or of another kind.
        """
        folder = path if path is not None else Path(str(files("predictors") / "data" / "default"))
        arrays, manifest = load_artefact(folder, kind=_KIND)
        if missing := sorted(set(ARRAYS) - set(arrays)):
            raise BadArtefactError(path=str(folder), problem=f"arrays are missing: {', '.join(missing)}")
        try:
            ensembles = load_ensembles(folder, manifest.get(_ENSEMBLES, ()), dim=len(arrays["on_features"]))
            loaded = cls(arrays=arrays, manifest=manifest, ensembles=ensembles)
        except BadArtefactError:
            raise
        except (KeyError, TypeError, ValueError, OverflowError, MemoryError) as exc:
            raise BadArtefactError(path=str(folder), problem=f"the manifest lacks or garbles {exc}") from exc
        try:
            loaded.try_out()
        except (ArithmeticError, LookupError, TypeError, ValueError) as exc:
            raise BadArtefactError(path=str(folder), problem=f"no forecast can be made of it ({exc})") from exc
        return loaded

    def try_out(self) -> None:
        """Forecast once, for models with outcomes and for one without: arrays that fit each other and are numbers do.

        Raises:
            ArithmeticError, LookupError, TypeError, ValueError: they do not.
        """
        for name, array in self.arrays.items():
            if not np.isfinite(array).all():
                raise ValueError(f"{name} has what is no number")
        for name, scalar in self.scalars.items():
            if not np.isfinite(scalar):
                raise ValueError(f"{name} is no number")
        per_model = [len(self.arrays["deviation"]), *(len(self.arrays[name].T) for name in PER_MODEL)]
        if set(per_model) != {len(self.models)}:
            raise ValueError(f"arrays for {per_model} models, and {len(self.models)} names")
        known = [ModelProfile(id=name, name=name) for name in {*self.models[:1], *self.models[-1:], _NOBODY}]
        mean, se, familiarity = self.bind(known).estimate(np.zeros((1, len(self.arrays["on_features"]))))
        if not (np.isfinite(mean).all() and np.isfinite(se).all() and np.isfinite(familiarity).all()):
            raise ValueError("what it forecasts is no number")
        if mean.shape != (1, len(known)) or se.shape != mean.shape:
            raise ValueError(f"forecasts of shape {mean.shape} for one prompt and {len(known)} models")

    def save(self, folder: Path) -> None:
        """Write the arrays and the manifest; `load` gives back an equal model."""
        if self.ensembles:
            self.manifest[_ENSEMBLES] = save_ensembles(folder, self.ensembles)
        arrays = {name: value.astype(np.float32) for name, value in self.arrays.items()}
        reserved = ("format_version", "arrays_sha256")
        manifest = {k: v for k, v in self.manifest.items() if k not in reserved}
        digest = save_artefact(folder, arrays, manifest)
        self.manifest["arrays_sha256"] = digest

    @property
    def version(self) -> str:
        """Names this fit: the start of the digest of its arrays, and of each ensemble's."""
        digests = [self.manifest.get("arrays_sha256", "unsaved")]
        digests += [entry["sha256"] for entry in self.manifest.get(_ENSEMBLES, ())]
        return "-".join(["quality", *(str(digest)[:12] for digest in digests)])

    @property
    def encoder(self) -> str:
        """The name under which `predictors.encoders.open_encoder` opens what it reads prompts with."""
        return str(self.manifest.get("encoder", "static"))

    @property
    def features_name(self) -> str:
        """The name of the features it was fitted on; it predicts from no others."""
        return str(self.manifest["features"])

    def bind(self, profiles: Sequence[ModelProfile], *, names: Sequence[str] | None = None) -> BoundQuality:
        """Everything that depends on the candidates alone, computed once.

        Args:
            profiles: of the candidates.
            names: what a table of outcomes may call them; a table can hold several configurations of one profile.
        """
        rows = [self._vectors.row(profile) for profile in profiles]
        by_profile, placed_sd = self._vectors.by_profile(profiles)
        vectors, logit_sd = self._vectors.with_outcomes(profiles, by_profile, placed_sd)
        candidates = of_candidates(self.arrays, rows)
        tried = np.array([row is not None for row in rows], dtype=np.bool_)
        bound = BoundFactorization(
            candidates,
            self._familiarity,
            places=Places.of(vectors, by_profile, self._placing, tried=tried, gap=candidates["gap"]),
            logit_sd=logit_sd,
            placed_sd=placed_sd,
            prompt_sd=self.scalars["prompt_sd"],
        )
        own = [(table, table.columns(profiles, names or [p.id for p in profiles])) for table in self.ensembles]
        table, columns = max(own, key=lambda known: len(known[1]), default=(None, {}))
        return PreferringOwn(bound, table.ensemble, columns) if table is not None and columns else bound

    def vectors(self, profiles: Sequence[ModelProfile]) -> tuple[Matrix, Floats]:
        """(Strength, traits) of each model, (n_models, 1 + n_traits), and the error of its strength, (n_models,)."""
        return self._vectors.with_outcomes(profiles, *self._vectors.by_profile(profiles))

    def ability(self, profile: ModelProfile) -> Ability:
        """General ability as this model takes it: measured, guessed from facts, or both weighed."""
        return self._prior.estimate(profile)
