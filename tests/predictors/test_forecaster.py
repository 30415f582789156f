from collections.abc import Sequence
from dataclasses import fields, replace
from decimal import Decimal

import numpy as np
import pytest

from catalog import Floats, ModelProfile, Pool, PoolEntry, Price
from predictors import BadArtefactError, Forecast, Forecaster, Forecasts, ForecastSource, Load, Query
from predictors.encoders import open_encoder
from predictors.features import Features
from predictors.length.model import LengthPredictor
from predictors.quality.protocol import BoundQuality


class LongPromptsAreHard:
    """A quality model small enough to check by hand: 0.9 less what the prompt's first surface feature says."""

    version = "by-hand"

    def __init__(self, features_name: str) -> None:
        self.features_name = features_name

    def bind(self, profiles: Sequence[ModelProfile], *, names: Sequence[str] | None = None) -> BoundQuality:
        assert names is None or len(names) == len(profiles)
        n = len(profiles)

        class Bound:
            def estimate(self, features: Floats) -> tuple[Floats, Floats, Floats]:
                shape = (len(features), n)
                return np.broadcast_to(0.9 - features[:, 256:257], shape), np.full(shape, 0.05), np.full(shape[0], 0.5)

        return Bound()


def entry(name: str, *, usd: int | None = 2, **facts: object) -> PoolEntry:
    price = None if usd is None else Price(input_usd_per_mtok=Decimal(usd), output_usd_per_mtok=Decimal(4 * usd))
    return PoolEntry(profile=ModelProfile(id=f"x/{name}", name=name, price=price, **facts))  # type: ignore[arg-type]


POOL = Pool([entry("a"), entry("b", usd=20, params_total_b=400.0), entry("unpriced", usd=None)])


@pytest.fixture(scope="module")
def forecaster() -> Forecaster:
    length = LengthPredictor.load()
    features = Features.named(length.feature_name_, open_encoder("static"))
    return Forecaster(features=features, quality=LongPromptsAreHard(features.name), length=length)


def test_every_array_has_one_entry_per_candidate_in_the_pools_order(forecaster: Forecaster) -> None:
    source: ForecastSource = forecaster.bind(POOL)
    forecast = source.forecast(Query.from_prompt("What is 2 + 2?"))
    assert source.pool is POOL
    for field in fields(Forecast):
        if field.name not in {"familiarity", "length_ratio"}:
            assert getattr(forecast, field.name).shape == (3,), field.name
    assert forecast.familiarity == 0.5
    assert forecast.cost_usd[1] == pytest.approx(10 * forecast.cost_usd[0])
    assert forecast.latency_s[1] > forecast.latency_s[0]


def test_only_what_has_no_basis_is_unknown(forecaster: Forecaster) -> None:
    forecast = forecaster.bind(POOL).forecast(Query.from_prompt("What is 2 + 2?"))
    assert np.isnan(forecast.cost_usd).tolist() == [False, False, True]
    assert np.isfinite(forecast.quality).all()
    assert np.isfinite(forecast.latency_s).all()


def test_the_same_query_and_load_give_the_same_forecast(forecaster: Forecaster) -> None:
    bound, query = forecaster.bind(POOL), Query.from_prompt("Explain entropy.")
    first, again = bound.forecast(query, load=Load()), bound.forecast(query, load=Load())
    for field in fields(Forecast):
        np.testing.assert_array_equal(getattr(first, field.name), getattr(again, field.name))


def test_a_query_has_the_same_forecast_alone_and_among_others() -> None:
    bound = Forecaster.load().bind(POOL)
    load = Load(running={"a": 40.0})
    queries = [
        Query.from_prompt("What is 2 + 2?"),
        Query.from_prompt("Write an essay on the sea.", max_output_tokens=10),
        Query(text="Which tool?", input_tokens=300_000, tool_names=("search",), cached_tokens=200),
        Query.from_prompt(""),
        Query.from_prompt("caf\u00e9 " * 3_000),
    ]
    together = bound.forecasts(queries, load=load)
    assert len(together) == len(queries)
    for row, query in enumerate(queries):
        alone, among = bound.forecast(query, load=load), together[row]
        for field in fields(Forecast):
            expected = getattr(alone, field.name)
            np.testing.assert_allclose(getattr(among, field.name), expected, rtol=1e-5, err_msg=field.name)
    np.testing.assert_array_equal(together.take([3, 1]).quality, together.quality[[3, 1]])
    later = bound.under(load, bound.forecasts(queries), queries)
    for field in fields(Forecasts):
        np.testing.assert_array_equal(getattr(later, field.name), getattr(together, field.name), err_msg=field.name)


def test_a_forecast_tells_how_long_answers_to_the_prompt_get_whoever_writes_them() -> None:
    profile = ModelProfile(id="a/m", name="m")
    bound = Forecaster.load().bind(Pool([PoolEntry(profile=profile)]))
    letter, essay = bound.forecasts(
        [
            Query.from_prompt("Which planet is largest?\nA) Mars\nB) Jupiter\nAnswer with the letter only."),
            Query.from_prompt("Write an essay of many pages on the causes of the war."),
        ]
    )
    assert letter.length_ratio < essay.length_ratio / 2
    longer = essay.output_tokens[0] / letter.output_tokens[0]
    assert longer == pytest.approx(essay.length_ratio / letter.length_ratio, rel=1e-3)


def test_the_callers_limit_makes_answers_shorter_cheaper_and_faster(forecaster: Forecaster) -> None:
    bound = forecaster.bind(POOL)
    free = bound.forecast(Query.from_prompt("Write an essay on the sea."))
    held = bound.forecast(Query.from_prompt("Write an essay on the sea.", max_output_tokens=10))
    assert (held.output_tokens <= 10).all()
    assert (held.cost_usd[:2] < free.cost_usd[:2]).all()
    assert (held.latency_s < free.latency_s).all()


def test_quality_stays_between_nothing_and_all(forecaster: Forecaster) -> None:
    bound = forecaster.bind(POOL)
    for prompt in ("", "a", "word " * 10_000):
        quality = bound.forecast(Query.from_prompt(prompt)).quality
        assert ((quality >= 0) & (quality <= 1)).all()


def test_parts_fitted_on_other_features_are_refused() -> None:
    features = Features(open_encoder("static"))
    with pytest.raises(BadArtefactError, match="some-other-encoder"):
        Forecaster(features=features, quality=LongPromptsAreHard("some-other-encoder"), length=LengthPredictor.load())


def test_a_part_fitted_on_fewer_surface_features_reads_the_first_of_them() -> None:
    shipped = Forecaster.load()
    earlier = LengthPredictor.load().feature_name_
    wide = Features(shipped.features.encoder)
    forecaster = Forecaster(
        features=wide,
        quality=LongPromptsAreHard(wide.name),
        length=LengthPredictor.load(),
        length_features=Features.named(earlier, wide.encoder),
    )
    query = Query.from_prompt("What is 2 + 2?")
    tokens = forecaster.bind(POOL).forecast(query).output_tokens
    np.testing.assert_allclose(tokens, shipped.bind(POOL).forecast(query).output_tokens, rtol=1e-12)


def test_an_empty_pool_has_empty_forecasts(forecaster: Forecaster) -> None:
    assert forecaster.bind(Pool([])).forecast(Query.from_prompt("Hi"), load=Load()).quality.shape == (0,)


def test_the_default_forecaster_loads_and_names_its_parts() -> None:
    forecaster = Forecaster.load()
    forecast = forecaster.bind(POOL).forecast(Query.from_prompt("What is the derivative of x^2?"))
    assert forecaster.version.startswith("quality-")
    assert ((forecast.quality > 0) & (forecast.quality < 1)).all()
    assert 0.0 <= forecast.familiarity <= 1.0


def test_answers_that_are_asked_for_at_once_are_all_paid_for(forecaster: Forecaster) -> None:
    source = forecaster.bind(POOL)
    query = Query(text="What is 2 + 2?", input_tokens=10)
    one, five = source.forecasts([query, replace(query, n_answers=5)])
    read_usd = 10 * 2 / 1e6  # of the first candidate
    assert five.cost_usd[0] - read_usd == pytest.approx(5 * (one.cost_usd[0] - read_usd))
    assert five.cost_usd_sd[0] == pytest.approx(5 * one.cost_usd_sd[0])
    assert five.output_tokens[0] == one.output_tokens[0]  # each is as long as one alone
    assert five.latency_s[0] == one.latency_s[0]  # and they are written beside each other
