"""The quality model that serves: arrays in, numbers out, for models with outcomes and models with a profile alone.

`QualityModel.from_fit` folds a fit into plain arrays, `save` and `load` keep them, and `bind` makes what answers for
the candidates of a gateway. `predictors.recipe` is where it is fitted; docs/quality.md has the steps.
"""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

import numpy as np

from catalog import Ability, Floats, ModelProfile
from predictors.errors import BadArtefactError
from predictors.persistence import load_artefact, save_artefact

from .cold_start import DATE, AbilityPrior, facts_of, profile_features
from .factorization import LogisticFactorization, sigmoid
from .familiarity import BoundFamiliarity, Familiarity
from .own import PreferringOwn, TableEnsemble, load_ensembles, save_ensembles
from .placing import Placing
from .protocol import BoundQuality, Matrix
from .recognition import TaskRecognition
from .support import Places

__all__ = ["QualityModel"]

_KIND = "quality"
_ENSEMBLES = "ensembles"  # in the manifest of a model that has some
_ARRAYS = (
    "deviation",
    "fact_mean",
    "fact_scale",
    "fact_weights",
    "gap",
    "head_constant",
    "head_on_features",
    "head_on_topics",
    "landmarks",
    "n_outcomes",
    "on_constant",
    "on_features",
    "on_topics",
    "profile_centre",
    "profile_inverse",
    "profile_map",
    "profile_scale",
    "sample",
    "support",
    "task_directions",
    "task_origin",
    "task_places",
    "task_ratio",
    "task_scale",
    "topic_constant",
    "topic_weights",
)
_SCALARS = (
    "ability_level",
    "ability_sd",
    "edge",
    "known_sd",
    "newest_year",
    "of_prompt",
    "of_strength",
    "prompt_sd",
    "unseen_sd",
    "unseen_sd_per_year",
    "unseen_shift",
    "width",
)
_PER_MODEL = ("gap", "head_constant", "head_on_features", "head_on_topics", "n_outcomes", "support")  # last axis
_NOBODY = "nobody/no-model"  # has no outcomes
_MIN_SCORE = 1e-3  # no expected score is closer to 0 or 1
_NEWEST_UNKNOWN = 1_000.0  # years since 2023, of a fit without dates: no model is newer than that
_MOST_YEARS_AHEAD = 1.0  # about as far as learning looked ahead; what lies beyond is as unsure as that


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
        self.arrays = {name: np.asarray(arrays[name], dtype=np.float64) for name in _ARRAYS}
        self.scalars = {name: float(manifest["scalars"][name]) for name in _SCALARS}
        a, s = self.arrays, self.scalars
        self._familiarity = Familiarity().restore(
            a["landmarks"], edge=s["edge"], width=s["width"], recognition=_recognition(a)
        )
        self._prior = AbilityPrior().restore(
            fact_mean=a["fact_mean"],
            fact_scale=a["fact_scale"],
            weights=a["fact_weights"],
            level=s["ability_level"],
            sd=s["ability_sd"],
        )
        self._row = {model: i for i, model in enumerate(self.models)}
        self._releases: dict[str, str] = dict(manifest.get("releases", {}))  # undated name -> its release with outcomes

    @classmethod
    def from_fit(
        cls,
        fitted: LogisticFactorization,
        *,
        heads: Matrix,
        support: Matrix,
        gap: Floats,
        models: Sequence[str],
        features: Matrix,
        prior: AbilityPrior,
        profile_centre: Floats,
        profile_scale: Floats,
        errors: Mapping[str, float],
        placing: Placing,
        newest_year: float,
        manifest: Mapping[str, Any],
        ensembles: Sequence[TableEnsemble] = (),
    ) -> Self:
        """Fold a fit into the few arrays that serving needs.

        Args:
            fitted: fitted on profile features that were centred and scaled as given.
            heads: (basis dim, n_models) of `residual_heads`.
            support: (n_topics, n_models) of `support.coverage`.
            gap: (n_models,) of `support.usual_gap`.
            models: names of the models of the fit, in its order.
            features: (n_prompts, dim) of training prompts that stand for the global mean.
            prior: general ability from facts.
            profile_centre: (n_profile,) and
            profile_scale: (n_profile,), how profile features were standardised.
            errors: `known_sd` and `prompt_sd`, standard errors on the logit scale.
            placing: how new models are placed, and how wrong that may be.
            newest_year: when the newest model of the fit came out, in years since 2023; infinite if nobody knows.
            manifest: provenance: `features` (name), `trained_on` and whatever else should be on record.
            ensembles: fitted to the same outcomes, or to tables among them.
        """
        arrays = {
            **_folded(fitted, heads),
            "support": support,
            "gap": gap,
            "profile_centre": profile_centre,
            "profile_scale": profile_scale,
            "sample": fitted.basis.transform(features) @ fitted.weights_,
            "landmarks": fitted.familiarity.landmarks_,
            **_recognition_arrays(fitted.familiarity.recognition_, features.shape[1]),
            "fact_mean": prior.fact_mean_,
            "fact_scale": prior.fact_scale_,
            "fact_weights": prior.weights_,
        }
        scalars = {
            "edge": fitted.familiarity.edge_,
            "width": fitted.familiarity.width_,
            "ability_level": prior.level_,
            "ability_sd": prior.sd_,
            "newest_year": newest_year if np.isfinite(newest_year) else _NEWEST_UNKNOWN,
            "of_prompt": placing.of_prompt,
            "of_strength": placing.of_strength,
            "unseen_sd": placing.sd,
            "unseen_sd_per_year": placing.sd_per_year,
            "unseen_shift": placing.shift,
            **errors,
        }
        stored = {name: np.asarray(value, dtype=np.float32) for name, value in arrays.items()}
        described = {
            **manifest,
            "kind": _KIND,
            "models": list(models),
            "scalars": {name: float(np.float32(scalars[name])) for name in _SCALARS},
        }
        return cls(arrays=stored, manifest=described, ensembles=ensembles)

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """Read a saved model; None reads the one in the package.

        Raises:
            BadArtefactError: the folder is missing, damaged, of another version or of another kind.
        """
        folder = path if path is not None else Path(str(files("predictors") / "data" / "default"))
        arrays, manifest = load_artefact(folder, kind=_KIND)
        if missing := sorted(set(_ARRAYS) - set(arrays)):
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
        per_model = [len(self.arrays["deviation"]), *(len(self.arrays[name].T) for name in _PER_MODEL)]
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
        rows = [self._find(profile) for profile in profiles]
        by_profile, placed_sd = self._placed(profiles)
        vectors, logit_sd = self._with_outcomes(profiles, by_profile, placed_sd)
        candidates = _of_candidates(self.arrays, rows)
        tried = np.array([row is not None for row in rows], dtype=np.bool_)
        bound = _Bound(
            candidates,
            self._familiarity,
            places=Places.of(vectors, by_profile, self._placing(), tried=tried, gap=candidates["gap"]),
            logit_sd=logit_sd,
            placed_sd=placed_sd,
            prompt_sd=self.scalars["prompt_sd"],
        )
        own = [(table, table.columns(profiles, names or [p.id for p in profiles])) for table in self.ensembles]
        table, columns = max(own, key=lambda known: len(known[1]), default=(None, {}))
        return PreferringOwn(bound, table.ensemble, columns) if table is not None and columns else bound

    def vectors(self, profiles: Sequence[ModelProfile]) -> tuple[Matrix, Floats]:
        """(Strength, traits) of each model, (n_models, 1 + n_traits), and the error of its strength, (n_models,)."""
        return self._with_outcomes(profiles, *self._placed(profiles))

    def ability(self, profile: ModelProfile) -> Ability:
        """General ability as this model takes it: measured, guessed from facts, or both weighed."""
        return self._prior.estimate(profile)

    def _placed(self, profiles: Sequence[ModelProfile]) -> tuple[Matrix, Floats]:
        """What `vectors` gives, as if nobody had tried any of these models."""
        a, s = self.arrays, self.scalars
        known = profile_features(profiles, self._prior)
        standard = (known.values - a["profile_centre"]) / a["profile_scale"]  # (n_models, n_profile)
        rows = np.concatenate([np.ones((len(profiles), 1)), standard], axis=1)  # (n_models, 1 + n_profile)
        per_ability = s["of_strength"] * a["profile_map"][1, 0] / a["profile_scale"][0]  # logits per unit of ability
        return rows @ a["profile_map"], np.hypot(self._place_sd(rows, profiles), per_ability * known.general_se)

    def _with_outcomes(
        self, profiles: Sequence[ModelProfile], placed: Matrix, placed_sd: Floats
    ) -> tuple[Matrix, Floats]:
        """What `_placed` gave, moved by the outcomes of those models that have some."""
        s = self.scalars
        vectors, logit_sd = placed.copy(), placed_sd.copy()
        for i, profile in enumerate(profiles):
            row = self._find(profile)
            if row is not None:
                vectors[i] += self.arrays["deviation"][row]
                # another release of the same name behaves alike, yet not the same
                same = self.models[row] in {profile.id, *profile.aliases}
                logit_sd[i] = s["known_sd"] if same else np.hypot(s["known_sd"], 0.5 * s["unseen_sd"])
        return vectors, logit_sd

    def _placing(self) -> Placing:
        s = self.scalars
        return Placing(
            of_prompt=s["of_prompt"],
            of_strength=s["of_strength"],
            shift=s["unseen_shift"],
            sd=s["unseen_sd"],
            sd_per_year=s["unseen_sd_per_year"],
        )

    def _place_sd(self, rows: Matrix, profiles: Sequence[ModelProfile]) -> Floats:
        """How far off places told by these profiles are, logits, (n_models,)."""
        leverage = np.einsum("mi,ij,mj->m", rows, self.arrays["profile_inverse"], rows)
        years = np.array([facts_of(profile)[DATE] for profile in profiles]).reshape(len(profiles))
        ahead = np.where(np.isfinite(years), years - self.scalars["newest_year"], 0.0)
        return self._placing().error(np.maximum(leverage, 0.0), np.clip(ahead, 0.0, _MOST_YEARS_AHEAD))

    def _find(self, profile: ModelProfile) -> int | None:
        release = self._releases.get(profile.snapshot_of or profile.id)
        for name in (profile.id, *profile.aliases, profile.snapshot_of, release):
            if name is not None and name in self._row:
                return self._row[name]
        return None


def _folded(fitted: LogisticFactorization, heads: Matrix) -> Mapping[str, Matrix | Floats]:
    """What the factorization and its heads learned, with the basis folded in: products of plain features."""
    basis = fitted.basis
    on_features, on_constant, on_topics = basis.fold_in(fitted.weights_)
    head_on_features, head_constant, head_on_topics = basis.fold_in(heads)
    topic_weights = basis.topics.weights_ * basis.scale_[:, None]
    return {
        "on_features": on_features,
        "on_constant": on_constant,
        "on_topics": on_topics,
        "head_on_features": head_on_features,
        "head_constant": head_constant,
        "head_on_topics": head_on_topics,
        "topic_weights": topic_weights,
        "topic_constant": basis.topics.intercept_ - basis.centre_ @ topic_weights,
        "profile_inverse": fitted.profile_inverse_,
        "profile_map": fitted.profile_map_,
        "deviation": fitted.deviation_,
        "n_outcomes": fitted.n_outcomes_,
    }


def _recognition_arrays(recognition: TaskRecognition | None, dim: int) -> Mapping[str, Matrix | Floats]:
    """As saved; no directions at all where one task only was seen."""
    if recognition is None:
        return {
            "task_directions": np.zeros((dim, 0)),
            "task_origin": np.zeros(dim),
            "task_places": np.zeros((0, 0)),
            "task_ratio": np.zeros(0),
            "task_scale": np.zeros(5),
        }
    return {
        "task_directions": recognition.directions_,
        "task_origin": recognition.origin_,
        "task_places": recognition.places_,
        "task_ratio": recognition.ratio_,
        "task_scale": np.array(recognition.scale_),
    }


def _recognition(arrays: Mapping[str, Matrix]) -> TaskRecognition | None:
    if not len(arrays["task_places"]):
        return None
    return TaskRecognition().restore(
        origin=arrays["task_origin"],
        directions=arrays["task_directions"],
        places=arrays["task_places"],
        ratio=arrays["task_ratio"],
        scale=tuple(arrays["task_scale"].tolist()),
    )


class _Bound:
    """One pool's candidates; `estimate` costs a few small matrix products, however many queries it is asked about."""

    def __init__(
        self,
        arrays: Mapping[str, Matrix],
        familiarity: Familiarity,
        *,
        places: Places,
        logit_sd: Floats,
        placed_sd: Floats,
        prompt_sd: float,
    ) -> None:
        # One product for the prompts' side, the heads of the candidates, the topics' logits and the familiarity. Single
        # precision changes forecasts by a millionth: a lone query waits for these numbers to come from memory.
        self._familiarity = BoundFamiliarity(familiarity)
        self._k, n_models = places.on_side.shape
        self._n_linear = self._k + n_models
        self._n_logits = self._n_linear + len(arrays["topic_constant"])
        self._weights = np.concatenate(
            [
                arrays["on_features"],
                arrays["head_on_features"],
                arrays["topic_weights"],
                self._familiarity.directions,
            ],
            axis=1,
            dtype=np.float32,
        )  # (dim, k + n_models + n_topics + n_products)
        self._constant = np.concatenate(
            [arrays["on_constant"], arrays["head_constant"], arrays["topic_constant"], self._familiarity.offset]
        )
        self._on_topics = np.concatenate([arrays["on_topics"], arrays["head_on_topics"], arrays["support"]], axis=1)
        self._on_side = np.concatenate([places.on_side, places.on_side_own], axis=1)  # (k, 2 x n_models)
        self._strength = np.concatenate([places.strength, places.strength_own])  # (2 x n_models,)
        self._n_models = n_models
        self._variance = placed_sd**2 + prompt_sd**2  # (n_models,) where a model was not tried,
        self._variance_own = np.minimum(logit_sd**2 - placed_sd**2, 0.0)  # and what to add to that where it was
        # what lies far from all training prompts, nobody was tried on
        over_sample = sigmoid(places.logits(arrays["sample"]))  # (n_sample, n_models)
        self._global_mean: Floats = over_sample.mean(axis=0)
        self._global_variance: Floats = over_sample.var(axis=0) + self._global_mean * (1 - self._global_mean) * (
            placed_sd**2 * 0.25
        )

    def estimate(self, features: Matrix) -> tuple[Matrix, Matrix, Floats]:
        """See `BoundQuality.estimate`."""
        products = (features.astype(np.float32) @ self._weights).astype(np.float64)
        products += self._constant
        logits = products[..., self._n_linear : self._n_logits]
        topics = np.exp(logits - logits.max(axis=-1, keepdims=True))  # (n_queries, n_topics)
        mixed = topics @ self._on_topics
        mixed /= topics.sum(axis=-1, keepdims=True)
        linear, support = mixed[..., : self._n_linear], mixed[..., self._n_linear :]
        linear += products[..., : self._n_linear]
        near = self._near(linear[..., : self._k], linear[..., self._k :], support)
        share = self._familiarity(products[..., self._n_logits :], squares=(features * features).sum(axis=-1))
        slope = near * (1.0 - near)
        variance = slope * slope * (self._variance + support * self._variance_own)
        part = share[..., None]
        rest = 1.0 - part
        mean = part * near + rest * self._global_mean
        variance = part * variance + rest * self._global_variance
        return mean, np.sqrt(variance), share

    def _near(self, side: Matrix, heads: Matrix, support: Matrix) -> Matrix:
        """Expected scores on familiar prompts, (n_queries, n_models).

        From their side (n_queries, k), and heads and support of the models, both (n_queries, n_models).
        """
        parts = side @ self._on_side
        parts += self._strength
        logit, own = parts[..., : self._n_models], parts[..., self._n_models :]
        logit += support * own
        np.minimum(np.maximum(logit, -40.0, out=logit), 40.0, out=logit)
        near: Matrix = 1.0 / (1.0 + np.exp(-logit)) + support * heads
        return np.minimum(np.maximum(near, _MIN_SCORE, out=near), 1.0 - _MIN_SCORE, out=near)


def _of_candidates(arrays: Mapping[str, Matrix], rows: Sequence[int | None]) -> Mapping[str, Matrix]:
    """The same arrays, with head, support and gap of each candidate: those of a model with outcomes, or none."""
    known = np.array([row is not None for row in rows], dtype=np.float64)  # (n_candidates,)
    columns = [row or 0 for row in rows]
    of_models = [name for name in arrays if name.startswith("head_") or name in {"support", "gap"}]
    return {**arrays, **{name: arrays[name][..., columns] * known for name in of_models}}
