"""All predictors behind one door: bound to a pool once, asked once for the requests of a turn."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol, Self

import numpy as np

from catalog import Floats, ModelProfile, Pool

from .cost import BoundCost
from .encoders import open_encoder
from .errors import BadArtefactError
from .features import Features
from .forecast import Forecast, Load
from .forecasts import Forecasts
from .latency import BoundLatency
from .length.model import LENGTH_FILE, LengthPredictor
from .own_prices import OwnPrices
from .quality.protocol import BoundQuality
from .query import Query

__all__ = ["BoundForecaster", "Forecaster", "QualitySource"]


class QualitySource(Protocol):
    """A fitted quality model, not yet bound to candidates."""

    @property
    def version(self) -> str:
        """Names the fit."""
        ...

    @property
    def features_name(self) -> str:
        """The features it was fitted on."""
        ...

    def bind(self, profiles: Sequence[ModelProfile], *, names: Sequence[str] | None = None) -> BoundQuality:
        """Ready for these candidates, in this order; `names` are what their own outcomes may call them."""
        ...


class Forecaster:
    """Features, quality and length, fitted to one another; loaded once, then bound to every pool in use.

    Raises:
        BadArtefactError: quality or length was fitted on other features than these.
    """

    def __init__(
        self,
        *,
        features: Features,
        quality: QualitySource,
        length: LengthPredictor,
        length_features: Features | None = None,
        prices: OwnPrices | None = None,
    ) -> None:
        """`length_features` is what lengths are read from, where that is not what quality is read from.

        `prices` are for candidates that have none, as far as their own outcomes tell.
        """
        read = length_features or features
        _insist("quality", quality.features_name, features)
        _insist("length", length.feature_name_, read)
        self.features = features
        self.length_features = read
        self.quality = quality
        self.length = length
        self.prices = prices or OwnPrices()

    @classmethod
    def load(cls, path: Path | None = None, *, encoder_key: str | None = None) -> Self:
        """Read a trained predictor's folder; None, or what the folder lacks, is the default in the package.

        The predictor says which encoder it reads prompts with; `encoder_key` is for one behind an endpoint.
        """
        from .quality.model import QualityModel  # noqa: PLC0415 - not needed by those who bring their own

        own_length = path if path is not None and (path / LENGTH_FILE).exists() else None
        quality, length = QualityModel.load(path), LengthPredictor.load(own_length)
        features = Features.named(quality.features_name, open_encoder(quality.encoder, api_key=encoder_key))
        length_features = Features.named(length.feature_name_, features.encoder)
        if length_features.name != length.feature_name_:
            length_features = Features.named(length.feature_name_, open_encoder("static"))
        for part, n_read, read in (
            ("quality", len(quality.arrays["on_features"]), features),
            ("length", len(length.weight_), length_features),
        ):
            if n_read != read.dim:
                raise BadArtefactError(path=str(path), problem=f"{part} reads {n_read} features of {read.dim}")
        prices = OwnPrices.load(path) if path is not None else None
        return cls(features=features, quality=quality, length=length, length_features=length_features, prices=prices)

    @property
    def version(self) -> str:
        """Names every fitted part, for the record of a decision."""
        return f"{self.quality.version}/{self.features.name}"

    def bind(self, pool: Pool) -> "BoundForecaster":
        """Forecasts for the candidates of a pool; bind again when the pool or what was measured of it changes."""
        return BoundForecaster(self, pool)


class BoundForecaster:
    """Forecasts for one pool (a `ForecastSource`). Holds arrays only, changes nothing: safe to share among threads."""

    def __init__(self, forecaster: Forecaster, pool: Pool) -> None:
        self.pool = pool
        self.version = forecaster.version
        self._features = forecaster.features
        self._length_features = forecaster.length_features
        self._quality = forecaster.quality.bind([entry.profile for entry in pool.entries], names=pool.names)
        self._read_once = self._length_features.begin(self._features)
        self._length = forecaster.length.bind(pool)
        self._cost = BoundCost(forecaster.prices.completed(pool))
        self._latency = BoundLatency(pool)

    def forecast(self, query: Query, *, load: Load | None = None) -> Forecast:
        """What each candidate of the pool would do with this query; see `forecasts`."""
        return self.forecasts((query,), load=load)[0]

    def forecasts(self, queries: Sequence[Query], *, load: Load | None = None) -> Forecasts:
        """What each candidate of the pool would do with each query, were the others not there.

        `query.cached_tokens` is priced at every candidate's cache rate, as if each held the session's prompt: what a
        change of model would lose is the router's to add (`router.session`).
        """
        texts = [query.text for query in queries]
        features = self._features.extract(texts)  # (n_queries, dim)
        first = slice(self._length_features.dim)
        for_length = features[:, first] if self._read_once else self._length_features.extract(texts)
        quality, quality_se, familiarity = self._quality.estimate(features)
        share = self._length.prompt_share(for_length, offers_tools=[bool(query.tool_names) for query in queries])
        tokens, tokens_sd = self._length.estimate_of(
            share,
            max_output_tokens=[query.max_output_tokens for query in queries],
            thinking=[query.thinking for query in queries],
        )
        read = _read(queries)
        cached = np.array([[query.cached_tokens] for query in queries], dtype=np.float64)  # (n_queries, 1)
        written, written_sd = _of_all_answers(queries, tokens, tokens_sd)
        cost, cost_sd = self._cost.estimate(
            input_tokens=read, cached_tokens=cached, output_tokens=written, output_tokens_sd=written_sd
        )
        ttft, ttft_sd, latency, latency_sd = self._latency.estimate(
            input_tokens=read, output_tokens=tokens, output_tokens_sd=tokens_sd, load=load
        )
        return Forecasts(
            quality=np.minimum(np.maximum(quality, 0.0), 1.0),
            quality_se=quality_se,
            output_tokens=tokens,
            output_tokens_sd=tokens_sd,
            cost_usd=cost,
            cost_usd_sd=cost_sd,
            ttft_s=ttft,
            ttft_s_sd=ttft_sd,
            latency_s=latency,
            latency_s_sd=latency_sd,
            familiarity=familiarity,
            length_ratio=self._length.ratio(share),
        )

    def under(self, load: Load, forecasts: Forecasts, queries: Sequence[Query]) -> Forecasts:
        """See `ForecastSource.under`: a load changes times alone."""
        ttft, ttft_sd, latency, latency_sd = self._latency.estimate(
            input_tokens=_read(queries),
            output_tokens=forecasts.output_tokens,
            output_tokens_sd=forecasts.output_tokens_sd,
            load=load,
        )
        return replace(forecasts, ttft_s=ttft, ttft_s_sd=ttft_sd, latency_s=latency, latency_s_sd=latency_sd)

    def slack(self, load: Load) -> Floats:
        """See `ForecastSource.slack`."""
        return self._latency.slack(load)


def _read(queries: Sequence[Query]) -> Floats:
    return np.array([[query.input_tokens] for query in queries], dtype=np.float64)  # (n_queries, 1)


def _of_all_answers(queries: Sequence[Query], tokens: Floats, tokens_sd: Floats) -> tuple[Floats, Floats]:
    """What is written in all, (n_queries, n_candidates): answers to one prompt are long or short together."""
    if all(query.n_answers == 1 for query in queries):
        return tokens, tokens_sd
    answers = np.array([[query.n_answers] for query in queries], dtype=np.float64)  # (n_queries, 1)
    return answers * tokens, answers * tokens_sd


def _insist(part: str, fitted_on: str, features: Features) -> None:
    if fitted_on != features.name:
        raise BadArtefactError(path=part, problem=f"fitted on {fitted_on}, but the encoder here gives {features.name}")
