import numpy as np
import pytest

from catalog import ModelProfile, Pool, PoolEntry
from eval.contenders.forecasts import BatchForecasts
from predictors import Load, Query
from predictors.quality.protocol import QualityEstimate

SOURCE = BatchForecasts(
    pool=Pool([PoolEntry(profile=ModelProfile(id="a/b", name="b"))]),
    version="batch",
    prompts=["one", "two", "one"],
    quality=QualityEstimate(
        mean=np.array([[0.1], [0.2], [0.3]]), se=np.full((3, 1), 0.05), familiarity=np.array([1.0, 0.5, 1.0])
    ),
    cost_usd=np.array([[1.0], [2.0], [3.0]]),
    cost_usd_sd=np.array([0.1]),
)


def test_a_prompt_gets_its_row_of_the_batch() -> None:
    forecast = SOURCE.forecast(Query.from_prompt("two"))
    assert (forecast.quality[0], forecast.cost_usd[0], forecast.familiarity) == (0.2, 2.0, 0.5)


def test_of_equal_prompts_the_first_counts() -> None:
    assert SOURCE.forecast(Query.from_prompt("one"), load=Load()).quality[0] == 0.1


def test_what_no_table_tells_is_unknown() -> None:
    forecast = SOURCE.forecast(Query.from_prompt("one"))
    assert np.isnan([forecast.latency_s[0], forecast.ttft_s[0], forecast.output_tokens[0]]).all()


def test_a_prompt_outside_the_batch_has_no_forecast() -> None:
    with pytest.raises(KeyError):
        SOURCE.forecast(Query.from_prompt("three"))
