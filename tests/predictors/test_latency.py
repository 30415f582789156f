from typing import Any

import numpy as np
import pytest

from catalog import Backend, Limits, Measured, ModelProfile, Pool, PoolEntry
from predictors import Load
from predictors.latency import BoundLatency, idealized_prefill_s_per_token, idealized_seconds_per_token


def entry(
    *, kind: Any = "openai", measured: Measured | None = None, limits: Limits | None = None, **facts: Any
) -> PoolEntry:
    profile = ModelProfile(id="x/m", name="m", **facts)
    backend = Backend(
        id="b", profile_id="x/m", kind=kind, provider="x", model_name="m",
        measured=measured or Measured(), limits=limits or Limits(),
    )  # fmt: skip
    return PoolEntry(profile=profile, backend=backend)


def times(
    item: PoolEntry, *, tokens: float = 101.0, sd: float = 0.0, read: float = 100.0, load: Load | None = None
) -> list[float]:
    found = BoundLatency(Pool([item])).estimate(
        input_tokens=read, output_tokens=np.array([tokens]), output_tokens_sd=np.array([sd]), load=load
    )
    return [float(array[0]) for array in found]


@pytest.mark.parametrize(
    ("params_b", "seconds", "within"),
    [
        (6, 0.021, 0.01),
        (530, 0.123, 0.01),
        (175, 0.081, 0.04),
        (7.5, 0.024, 0.05),
        (17, 0.038, 0.20),
        (66, 0.055, 0.03),
    ],
)
def test_the_idealized_pace_is_near_the_published_profiles(params_b: float, seconds: float, within: float) -> None:
    assert idealized_seconds_per_token(params_b) == pytest.approx(seconds, rel=within)


@pytest.mark.parametrize(
    ("params_b", "first", "last"), [(6, 0.023, 0.142), (7.5, 0.027, 0.167), (175, 0.084, 0.597), (530, 0.125, 1.852)]
)
def test_the_idealized_prefill_is_near_the_published_profiles(params_b: float, first: float, last: float) -> None:
    published = (last - first) / 1919  # R(1920) - R(1), per token
    assert idealized_prefill_s_per_token(params_b) == pytest.approx(published, rel=0.5)


def test_what_was_measured_is_the_forecast() -> None:
    measured = Measured(n_calls=100, ttft_s=0.5, ttft_sd_s=0.1, seconds_per_output_token=0.01)
    ttft, ttft_sd, latency, latency_sd = times(entry(measured=measured, ttft_s=9.0, tokens_per_s=1.0))
    assert (ttft, ttft_sd) == (0.5, 0.1)
    assert latency == pytest.approx(1.5)  # 0.5 s, then 100 tokens at 0.01 s
    assert latency_sd == pytest.approx(np.hypot(0.1, 100 * 0.003))  # a measured pace is 30 % unsure


def test_a_profile_speaks_where_nothing_was_measured() -> None:
    ttft, _, latency, _ = times(entry(ttft_s=0.2, tokens_per_s=50.0))
    assert ttft == 0.2
    assert latency == pytest.approx(0.2 + 100 / 50)


def test_a_larger_model_is_slower_and_size_says_more_than_nothing() -> None:
    small, large, unknown = (
        times(entry(**facts)) for facts in ({"params_total_b": 7.0}, {"params_total_b": 400.0}, {})
    )
    assert small[2] < large[2]
    assert unknown[3] / unknown[2] > large[3] / large[2]


def test_of_a_sparse_model_the_active_parameters_count() -> None:
    sparse = times(entry(params_total_b=400.0, params_active_b=17.0))
    assert sparse[2] == pytest.approx(times(entry(params_total_b=17.0))[2])


def test_a_model_on_this_machine_is_slower_than_a_hosted_one() -> None:
    assert times(entry(kind="embedded", params_total_b=7.0))[2] > 5 * times(entry(params_total_b=7.0))[2]


def test_an_unsure_length_makes_an_unsure_time() -> None:
    assert times(entry(tokens_per_s=50.0), sd=80.0)[3] > times(entry(tokens_per_s=50.0))[3]


def test_a_long_prompt_is_read_before_the_first_token() -> None:
    here = entry(params_total_b=70.0)
    assert times(here, read=100_000)[0] > times(here, read=500)[0] + 5.0


def test_calls_ahead_in_the_queue_must_end_first() -> None:
    measured = Measured(n_calls=100, ttft_s=1.0, ttft_sd_s=0.0, seconds_per_output_token=0.01)
    busy = entry(measured=measured, limits=Limits(max_concurrency=2))
    alone = times(busy)
    queued = times(busy, load=Load(waiting={"b": 3.0}, running={"b": 2.0}))
    # 3 waiting and both places taken: 4 ends ahead of us, at 2 places, of 2 s each
    assert queued[0] == pytest.approx(1.0 + 4 / 2 * 2.0)
    assert queued[2] == pytest.approx(alone[2] + 4.0)
    assert queued[3] > alone[3]


def test_a_free_place_means_no_wait() -> None:
    item = entry(limits=Limits(max_concurrency=4))
    assert times(item, load=Load(running={"b": 3.0})) == times(item)
    assert times(item, load=Load(waiting={"another": 50.0})) == times(item)


def test_a_candidate_without_a_backend_has_a_time_too() -> None:
    assert times(PoolEntry(profile=ModelProfile(id="x/m", name="m")), load=Load())[2] > 0


def slack(item: PoolEntry, **load: dict[str, float]) -> float:
    return float(BoundLatency(Pool([item])).slack(Load(**load))[0])


def test_slack_is_how_many_calls_more_lengthen_a_call_by_a_quarter() -> None:
    ten = entry(limits=Limits(max_concurrency=10))
    assert slack(ten) == pytest.approx(11.5)  # the twelfth waits a fifth of a call, a thirteenth would wait more
    assert slack(ten, running={"b": 4.0}) == pytest.approx(7.5)
    # twenty-nine run at ten places: a call lasts three times as long, and seven more make that 3.7
    assert slack(ten, running={"b": 29.0}) == pytest.approx(7.5)


def test_one_place_leaves_no_slack() -> None:
    assert 0.0 <= slack(entry(kind="llama_cpp")) < 1.0
    assert slack(entry(kind="llama_cpp"), running={"b": 1.0}) < 1.0


def test_a_server_that_tells_is_believed_about_its_slack_too() -> None:
    item = entry(limits=Limits(max_concurrency=1))
    assert slack(item, running={"b": 50.0}, waiting={"b": 0.0}) == float("inf")
    # nine wait for twenty places, a call lasts 1.5 times as long; seven more make that 1.85
    assert slack(item, running={"b": 20.0}, waiting={"b": 9.0}) == pytest.approx(7.5)
    assert slack(PoolEntry(profile=ModelProfile(id="x/m", name="m"))) == float("inf")
