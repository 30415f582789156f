"""How many of the next calls fall within the intervals of 90 % that a forecast states, from what the journal showed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest

from catalog import Backend, Floats, ModelProfile, Pool, PoolEntry
from gateway.refinement import BackendStatistics, CallFacts
from predictors import Forecaster, Query

HOUR, Z90 = 3600.0, 1.645
PROFILE = ModelProfile(id="our/model", name="model")
QUERY = Query.from_prompt("Explain the tides to me.")
BACKEND = Backend(id="here", profile_id=PROFILE.id, kind="openai", provider="us", model_name="model")


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A backend as it is: log-normal about these means."""

    output_tokens: float = 200.0
    ttft_s: float = 0.4
    s_per_token: float = 0.01
    ttft_spread: float = 0.3
    answers_as: str = "model-2024-05-13"

    def calls(
        self, rng: np.random.Generator, n: int, *, per_hour: float = 60, from_s: float = 0.0
    ) -> Iterator[CallFacts]:
        for number in range(n):
            tokens = max(2.0, round(self.output_tokens * rng.lognormal(-0.18, 0.6)))
            ttft = self.ttft_s * rng.lognormal(-(self.ttft_spread**2) / 2, self.ttft_spread)
            pace = self.s_per_token * rng.lognormal(-0.02, 0.2)
            yield CallFacts(
                at_s=from_s + number * HOUR / per_hour, status="ok", output_tokens=tokens, ttft_s=ttft,
                latency_s=ttft + pace * (tokens - 1), answered_as=self.answers_as,
            )  # fmt: skip


@pytest.fixture(scope="module")
def forecaster() -> Forecaster:
    return Forecaster.load()


def counted(
    calls: Iterator[CallFacts], forecaster: Forecaster, into: BackendStatistics | None = None
) -> BackendStatistics:
    statistics = into or BackendStatistics()
    ratio = forecaster.bind(pool()).forecast(QUERY).length_ratio
    for call in calls:
        statistics.add(replace(call, length_ratio=ratio), profile=PROFILE)
    return statistics


def pool(statistics: BackendStatistics | None = None, *, at_s: float = 0.0) -> Pool:
    measured = BACKEND.measured if statistics is None else statistics.measured(at_s=at_s, profile=PROFILE)
    return Pool([PoolEntry(profile=PROFILE, backend=replace(BACKEND, measured=measured))])


def covered(forecaster: Forecaster, candidates: Pool, world: World) -> dict[str, float]:
    """The share of the next calls within each interval."""
    forecast, next_calls = (
        forecaster.bind(candidates).forecast(QUERY),
        list(world.calls(np.random.default_rng(9), 2_000)),
    )

    def share(name: str) -> float:
        mean, sd = getattr(forecast, name)[0], getattr(forecast, f"{name}_sd")[0]
        true: Floats = np.array([getattr(call, name) for call in next_calls])
        return float(np.mean(np.abs(true - mean) <= Z90 * sd))

    return {name: share(name) for name in ("output_tokens", "ttft_s", "latency_s")}


def test_what_nobody_measured_is_forecast_with_intervals_that_are_too_wide(forecaster: Forecaster) -> None:
    assert min(covered(forecaster, pool(), World()).values()) > 0.95


@pytest.mark.parametrize("n", [3, 5, 10, 100])
@pytest.mark.parametrize("spread", [0.1, 0.3, 0.8])
def test_the_time_to_the_first_token_falls_within_its_interval_as_often_as_it_says(
    forecaster: Forecaster, n: int, spread: float
) -> None:
    """Of three calls the width that was seen covered 65 % of the next, of ten 83 %."""
    world, shares = World(ttft_spread=spread), []
    for seed in range(40):
        seen = counted(world.calls(np.random.default_rng(seed), n, per_hour=1e6), forecaster)
        shares.append(covered(forecaster, pool(seen), world)["ttft_s"])
    assert 0.86 < np.mean(shares) < 0.95


def test_calls_that_hardly_differed_leave_an_interval_with_a_width(forecaster: Forecaster) -> None:
    world = World(ttft_spread=0.005)
    seen = counted(world.calls(np.random.default_rng(0), 20, per_hour=1e6), forecaster)
    assert covered(forecaster, pool(seen), world)["ttft_s"] > 0.9


@pytest.mark.parametrize("hours", [24, 63, 65, 70, 130, 24 * 14])
def test_intervals_hold_however_long_a_gateway_runs(forecaster: Forecaster, hours: int) -> None:
    """Every 64 half-lives one call once counted as all that was ever seen, and none of the next was within."""
    world = World()
    seen = counted(world.calls(np.random.default_rng(0), 60 * hours), forecaster)
    shares = covered(forecaster, pool(seen, at_s=hours * HOUR), world)
    assert min(shares.values()) > 0.85


def test_a_backend_that_grows_slower_is_within_its_intervals_again_after_two_half_lives(forecaster: Forecaster) -> None:
    rng, slower = np.random.default_rng(0), World(ttft_s=1.2, s_per_token=0.03)
    seen = counted(World().calls(rng, 60 * 24), forecaster)
    at_once = covered(forecaster, pool(seen, at_s=24 * HOUR), slower)
    assert max(at_once["ttft_s"], at_once["latency_s"]) < 0.6
    counted(slower.calls(rng, 120, from_s=24 * HOUR), forecaster, seen)
    later = covered(forecaster, pool(seen, at_s=26 * HOUR), slower)
    assert min(later.values()) > 0.85


def test_another_model_behind_the_same_name_is_known_after_some_dozens_of_calls(forecaster: Forecaster) -> None:
    """Its answers are three times as long; two weeks of the old model's would have told for days."""
    rng, other = np.random.default_rng(0), World(output_tokens=600.0, answers_as="model-2024-08-06")
    seen, silent = (counted(World().calls(rng, 60 * 24 * 14), forecaster) for _ in range(2))
    hours = 24 * 14
    counted(other.calls(rng, 60, from_s=hours * HOUR), forecaster, seen)
    counted(replace(other, answers_as=World().answers_as).calls(rng, 60, from_s=hours * HOUR), forecaster, silent)
    told, untold = (covered(forecaster, pool(one, at_s=(hours + 1) * HOUR), other) for one in (seen, silent))
    assert untold["output_tokens"] < 0.6
    assert min(told["output_tokens"], told["latency_s"]) > 0.85


def test_a_name_that_comes_back_is_no_other_model(forecaster: Forecaster) -> None:
    statistics, rng = BackendStatistics(), np.random.default_rng(0)
    names = ("one", "two")
    for number, call in enumerate(World().calls(rng, 400, per_hour=1e6)):
        statistics.add(replace(call, answered_as=names[number % 2]))
    spread = statistics.sketches["ttft_s"].weight_at(0.0)
    assert spread > 390  # the first name's one call aside, all count
    assert BackendStatistics.from_json(statistics.to_json()).answered_as == ["one", "two"]
