"""How many tokens a model will write: log-normal, from the prompt and from what is known of the model.

The logarithm of a length is the prompt's share (a ridge regression on the features) plus the model's share (how much
more than others it writes) plus noise. What the journal measured of a model outweighs its profile, and both outweigh
the assumptions at the head of this file.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import numpy as np

from catalog import Floats, ModelProfile, Pool, PoolEntry
from predictors.errors import BadArtefactError, NotFittedError
from predictors.foreign_files import read_json
from predictors.thinking import Thinking

from .capped import Caps
from .thinking import ThinkingLengths, habit_of, thinking_share

__all__ = ["BoundLength", "LengthPredictor", "Share"]

LENGTH_FILE: Final = "length.json"
_FORMAT: Final = 1

# Assumptions, used only where nothing is known of a model; those of thinking are in `thinking_length`.
_CALL_TOKENS: Final = 60.0  # a function call; a request with tools is taken to lie half-way to it
_PROFILE_CALLS: Final = 10.0  # a figure in a profile weighs as much as so many measured calls
_LEAST_NOISE_SD: Final = 0.1  # lengths that never differed may yet: without any width there is nowhere to cut them off
_MIN_CALLS: Final = 5.0  # measured calls at which the journal and the assumption weigh the same
_REFERENCE_TOKENS_PER_CHAR: Final = 0.25


class Share(NamedTuple):
    """How much more a model of one's own outcomes writes than the average one, in natural logarithms of tokens."""

    name: str  # as the outcomes write it
    model: str  # id of its profile
    shift: float
    n_calls: int


class LengthPredictor:
    """The prompt's share, fitted; `bind` adds the models'."""

    def __init__(self, *, ridge: float = 30.0) -> None:
        self.ridge = ridge

    def fit(
        self,
        features: Floats,
        tokens: Floats,
        *,
        feature_name: str,
        noise_sd: float,
        model_sd: float,
        weight: Floats | None = None,
        shares: Sequence[Share] = (),
    ) -> Self:
        """Learn the logarithm of the tokens that the average model writes.

        Args:
            features: (n_prompts, dim) of `predictors.features`.
            tokens: (n_prompts,) geometric mean over models, with their shares taken out.
            feature_name: the name of the features, checked again when used.
            noise_sd: what prompt and model leave unexplained, in natural logarithms.
            model_sd: how much models differ in verbosity, in natural logarithms.
            weight: (n_prompts,) how much each prompt counts; None: all alike.
            shares: of the models that the lengths are from, where candidates go by these names or profiles.
        """
        log_tokens = np.log(tokens)  # (n_prompts,)
        self.feature_name_ = feature_name
        share = np.ones(len(tokens)) if weight is None else weight / weight.mean()  # (n_prompts,)
        self.mean_ = np.average(features, axis=0, weights=share)  # (dim,)
        self.level_ = float(np.average(log_tokens, weights=share))
        centred = features - self.mean_
        weighted = centred.T * share  # (dim, n_prompts)
        gram = weighted @ centred + self.ridge * np.eye(features.shape[1])
        self.weight_ = np.linalg.solve(gram, weighted @ (log_tokens - self.level_))  # (dim,)
        self.noise_sd_ = noise_sd
        self.model_sd_ = model_sd
        self.shares_ = tuple(shares)
        return self

    def log_tokens(self, features: Floats) -> Floats:
        """Expected logarithm for the average model, shape (...,) for features (..., dim)."""
        if not hasattr(self, "weight_"):
            raise NotFittedError(self)
        return np.asarray(self.level_ + (features - self.mean_) @ self.weight_)

    def bind(self, pool: Pool) -> "BoundLength":
        """Ready for the hot path, for the candidates of a pool."""
        if not hasattr(self, "weight_"):
            raise NotFittedError(self)
        return BoundLength(self, pool)

    def save(self, folder: Path) -> None:
        """Write the fit as JSON."""
        folder.mkdir(parents=True, exist_ok=True)
        fit = {
            "format": _FORMAT,
            "feature_name": self.feature_name_,
            "level": self.level_,
            "noise_sd": self.noise_sd_,
            "model_sd": self.model_sd_,
            "ridge": self.ridge,
            "mean": [round(x, 9) for x in self.mean_.tolist()],
            "weight": [round(x, 9) for x in self.weight_.tolist()],
            **({"shares": [share._asdict() for share in self.shares_]} if self.shares_ else {}),
        }
        (folder / LENGTH_FILE).write_text(json.dumps(fit) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path | None = None) -> Self:
        """Read a saved fit; None reads the one in the package.

        Raises:
            BadArtefactError: the file is missing, damaged or of another format.
        """
        path = (folder if folder is not None else Path(str(files("predictors") / "data"))) / LENGTH_FILE
        try:
            fit: Mapping[str, Any] = read_json(path)
            if fit["format"] != _FORMAT:
                raise BadArtefactError(path=str(path), problem=f"format {fit['format']!r} is not {_FORMAT}")
            loaded = cls(ridge=float(fit["ridge"]))
            loaded.feature_name_ = str(fit["feature_name"])
            loaded.mean_, loaded.weight_ = np.array(fit["mean"]), np.array(fit["weight"])
            loaded.level_ = float(fit["level"])
            loaded.noise_sd_, loaded.model_sd_ = float(fit["noise_sd"]), float(fit["model_sd"])
            loaded.shares_ = tuple(Share(**share) for share in fit.get("shares", ()))
            _check(loaded)
        except (OSError, ValueError, KeyError, TypeError, OverflowError) as exc:
            if isinstance(exc, BadArtefactError):
                raise
            raise BadArtefactError(path=str(path), problem=f"no length fit can be read ({exc})") from exc
        return loaded


def _check(loaded: LengthPredictor) -> None:
    """Raises: TypeError, ValueError: no forecast could be made of it."""
    numbers = [loaded.level_, loaded.noise_sd_, loaded.model_sd_, *(share.shift for share in loaded.shares_)]
    fitted = np.stack([loaded.mean_, loaded.weight_]).astype(np.float64)  # (2, dim)
    if fitted.ndim != 2 or not (np.isfinite(fitted).all() and all(map(math.isfinite, numbers))):
        raise ValueError("it holds no finite numbers")
    if any(not share.n_calls > 0 for share in loaded.shares_):
        raise ValueError("it tells of models that were never called")


class BoundLength:
    """Lengths for one pool: the models' shares and caps, as arrays."""

    def __init__(self, predictor: LengthPredictor, pool: Pool) -> None:
        self._weight = predictor.weight_
        self._average = predictor.level_
        self._level = predictor.level_ - float(predictor.mean_ @ predictor.weight_)
        shares = [_share(entry, predictor) for entry in pool.entries]
        self._shift = np.array([shift for shift, _ in shares])  # (n_candidates,)
        sd = np.array([sd for _, sd in shares])  # (n_candidates,)
        noise_sd = max(predictor.noise_sd_, _LEAST_NOISE_SD)
        self._variance = sd * sd + noise_sd**2  # (n_candidates,)
        self._sd = np.sqrt(self._variance)
        habits = [habit_of(entry.profile) for entry in pool.entries]
        self._thinking = ThinkingLengths(
            habits, shift=self._shift, sd=sd, model_sd=predictor.model_sd_, noise_sd=noise_sd
        )
        self._cap = np.array([e.profile.max_output_tokens or math.inf for e in pool.entries], dtype=np.float64)
        self._caps = Caps(self._cap, self._sd)

    def estimate(
        self,
        features: Floats,
        *,
        max_output_tokens: Sequence[int | None] = (),
        offers_tools: Sequence[bool] = (),
        thinking: Sequence[Thinking | None] = (),
    ) -> tuple[Floats, Floats]:
        """Expected tokens and their standard deviation, each (n_queries, n_candidates), for features (n_queries, dim).

        A model stops at its own limit and at the caller's, so both are of the length cut off there. What callers allow,
        whether they offer tools and what they say of thinking is per query; left out, none does.
        """
        share = self.prompt_share(features, offers_tools=offers_tools)
        return self.estimate_of(share, max_output_tokens=max_output_tokens, thinking=thinking)

    def prompt_share(self, features: Floats, *, offers_tools: Sequence[bool] = ()) -> Floats:
        """The logarithm of what the average model writes in answer to each prompt, (n_queries,)."""
        prompt = self._level + features @ self._weight
        if any(offers_tools):
            prompt = np.where(offers_tools, 0.5 * (prompt + math.log(_CALL_TOKENS)), prompt)
        return np.asarray(prompt)

    def estimate_of(
        self,
        prompt_share: Floats,
        *,
        max_output_tokens: Sequence[int | None] = (),
        thinking: Sequence[Thinking | None] = (),
    ) -> tuple[Floats, Floats]:
        """What `estimate` gives, for whoever has the `prompt_share` already."""
        caps, cap = self._caps, self._cap
        if any(limit is not None for limit in max_output_tokens):
            limits = np.array([math.inf if limit is None else float(limit) for limit in max_output_tokens])
            cap = np.minimum(self._cap, limits[:, None])  # (n_queries, n_candidates)
            caps = Caps(cap, self._sd)
        tokens, sd = caps.moments(prompt_share[..., None] + self._shift, self._variance)
        for at, asked in enumerate(thinking):
            if asked is not None:
                own = cap if cap.ndim == 1 else cap[at]
                tokens[at], sd[at] = self._thinking.told(
                    asked, prompt=prompt_share[at], cap=own, usual=tokens[at], usual_sd=sd[at]
                )
        return tokens, sd

    def ratio(self, prompt_share: Floats) -> Floats:
        """How much longer answers to these prompts get than to the average one, (n_queries,)."""
        return np.exp(prompt_share - self._average)


def _share(entry: PoolEntry, predictor: LengthPredictor) -> tuple[float, float]:
    """How much more than the average model this one writes, in natural logarithms, and how sure that is (sd)."""
    profile = entry.profile
    shift, extra = thinking_share(habit_of(profile))
    sd = math.hypot(predictor.model_sd_, extra)
    shift += _log_tokenizer_ratio(profile)
    for seen, calls in _seen(entry, predictor):
        trust = calls / (calls + _MIN_CALLS)
        shift, sd = shift + trust * (seen - shift), sd * math.sqrt(1 - 0.8 * trust)
    return shift, sd


def _seen(entry: PoolEntry, predictor: LengthPredictor) -> Iterator[tuple[float, float]]:
    """What is known of a candidate's share, and of how many calls: by its profile, by own outcomes, by the journal."""

    def above(mean: float) -> float:
        # A mean stands half a variance above the logarithm's: compare like with like.
        return math.log(mean) - predictor.noise_sd_**2 / 2 - predictor.level_

    profile, measured = entry.profile, entry.backend.measured if entry.backend is not None else None
    if profile.output_tokens_mean is not None and profile.output_tokens_mean > 0:
        yield above(profile.output_tokens_mean), _PROFILE_CALLS
    same = {profile.id, *profile.aliases}
    named = [share for share in predictor.shares_ if share.name == entry.name]
    if own := named or [share for share in predictor.shares_ if share.model in same]:
        calls = sum(share.n_calls for share in own)
        yield sum(share.shift * share.n_calls for share in own) / calls, float(calls)
    journal = measured.output_tokens_mean if measured is not None and measured.n_calls else None
    if measured is not None and journal is not None and journal > 0:
        yield above(journal), float(measured.n_calls)


def _log_tokenizer_ratio(profile: ModelProfile) -> float:
    return math.log(profile.tokens_per_char / _REFERENCE_TOKENS_PER_CHAR) if profile.tokens_per_char else 0.0
