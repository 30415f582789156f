"""What models charge, told from what their calls cost."""

import json
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from catalog import ModelProfile, Pool, PoolEntry, Price
from predictors import BadArtefactError
from predictors.encoders import open_encoder
from predictors.features import Features
from predictors.forecaster import Forecaster
from predictors.length.model import LengthPredictor
from predictors.outcomes import Outcomes
from predictors.own_prices import OwnPrice, OwnPrices
from predictors.query import Query

FEATURES = Features.named(LengthPredictor.load().feature_name_, open_encoder("static"))


def calls(*, counted: bool) -> Outcomes:
    """Sixty questions; one model takes 2 and 10 dollars per million tokens, the other 0.1 and 0.4, a third nothing."""
    rows = []
    for n in range(60):
        prompt, read, written = f"Question {n}: " + "why? " * n, 10 + 2 * n, 50 + 7 * (n % 9)
        for model, price_in, price_out in (("dear", 2.0, 10.0), ("cheap", 0.1, 0.4), ("gift", None, None)):
            cost = None if price_in is None else (read * price_in + written * price_out) / 1e6
            row = {"prompt": prompt, "model": model, "score": 1.0, "cost_usd": cost}
            rows.append(row | ({"input_tokens": float(read), "output_tokens": float(written)} if counted else {}))
    return Outcomes.from_table(pl.DataFrame(rows, infer_schema_length=None))


def fit(outcomes: Outcomes) -> OwnPrices:
    return OwnPrices.fit(
        outcomes, model_id=lambda _dataset, name: f"mine/{name}", lengths=LengthPredictor.load(), features=FEATURES
    )


def test_counted_tokens_tell_both_rates_and_a_model_without_costs_stays_unpriced() -> None:
    cheap, dear = fit(calls(counted=True)).prices
    assert cheap == OwnPrice("cheap", "mine/cheap", pytest.approx(0.1), pytest.approx(0.4))
    assert dear == OwnPrice("dear", "mine/dear", pytest.approx(2.0), pytest.approx(10.0))


def test_where_nobody_counted_expected_calls_cost_on_average_what_the_calls_did() -> None:
    outcomes = calls(counted=False)
    pool = fit(outcomes).completed(Pool([PoolEntry(profile=ModelProfile(id="mine/dear", name="dear"))]))
    price = pool.entries[0].price
    assert price is not None
    assert price.output_usd_per_mtok == pytest.approx(4 * price.input_usd_per_mtok)
    written = LengthPredictor.load().bind(pool).estimate(FEATURES.extract(outcomes.table["prompt"].unique().to_list()))
    observed = outcomes.table.filter(pl.col("model") == "dear")["cost_usd"].mean()
    assert float(written[0].mean() * pool.output_usd_per_token[0]) == pytest.approx(observed, rel=0.3)


def test_a_listed_price_is_never_replaced() -> None:
    listed = Price(input_usd_per_mtok=Decimal(1), output_usd_per_mtok=Decimal(3))
    known = PoolEntry(profile=ModelProfile(id="mine/dear", name="dear", price=listed))
    stranger = PoolEntry(profile=ModelProfile(id="mine/other", name="other"))
    completed = fit(calls(counted=True)).completed(Pool([known, stranger]))
    assert [entry.price for entry in completed.entries] == [listed, None]


def test_a_saved_predictor_forecasts_the_cost_of_ones_own_models(tmp_path: Path) -> None:
    fit(calls(counted=True)).save(tmp_path)
    prices = OwnPrices.load(tmp_path)
    shipped = Forecaster.load()
    mine = Forecaster(
        features=shipped.features,
        quality=shipped.quality,
        length=shipped.length,
        length_features=shipped.length_features,
        prices=prices,
    )
    pool = Pool(PoolEntry(profile=ModelProfile(id=f"x/{name}", name=name), called=name) for name in ("cheap", "dear"))
    cheap, dear = mine.bind(pool).forecast(Query(text="Why is the sky blue?", input_tokens=6)).cost_usd
    assert 10 < dear / cheap < 30


def test_prices_of_an_earlier_fit_do_not_stay(tmp_path: Path) -> None:
    fit(calls(counted=True)).save(tmp_path)
    OwnPrices().save(tmp_path)
    assert OwnPrices.load(tmp_path).prices == ()


def test_damaged_prices_are_refused(tmp_path: Path) -> None:
    (tmp_path / "prices.json").write_text(json.dumps({"format": 1, "prices": [{"name": "x"}]}))
    with pytest.raises(BadArtefactError, match="no prices can be read"):
        OwnPrices.load(tmp_path)


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), -1.0, "free", None, [1.0]])
def test_prices_that_nobody_can_charge_are_refused(tmp_path: Path, rate: object) -> None:
    told = {"name": "x", "model": "maker/x", "input_usd_per_mtok": 1.0, "output_usd_per_mtok": rate}
    (tmp_path / "prices.json").write_text(json.dumps({"format": 1, "prices": [told]}))
    with pytest.raises(BadArtefactError, match="no prices can be read"):
        OwnPrices.load(tmp_path)
