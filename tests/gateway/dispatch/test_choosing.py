import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from catalog import Backend, Limits, Pool, PoolEntry, UnknownModelError
from gateway.dispatch.choosing import Chooser
from gateway.errors import OverloadedError
from gateway.serving import Serving
from gateway.standing import ANONYMOUS
from gateway.telemetry import Telemetry
from gateway.upstreams.health import Health
from predictors import Forecaster, Query
from predictors.latency import BoundLatency
from router import (
    Constraints,
    Decision,
    FixedForecasts,
    InvalidRoutingError,
    NoEligibleModelError,
    Reading,
    Router,
    RoutingOptions,
    read_options,
)
from tests.gateway.running import backend, serve_fixed

URL = "http://127.0.0.1:1/v1"
ASKED = Query(text="Why?", input_tokens=10, max_output_tokens=10)


def reading(options: RoutingOptions | None = None, *, target: str | None = None) -> Reading:
    return Reading(options=options or RoutingOptions(), target=target)


def chooser(health: Health | None = None, *, seed: int = 0) -> Chooser:
    """Nothing takes time for it: who is decided about with whom follows from the order of asking alone."""
    rng = np.random.default_rng(seed)
    return Chooser(health=health or Health(clock=lambda: 0.0), telemetry=Telemetry(), rng=rng, clock=lambda: 0.0)


async def chosen(
    chooser: Chooser,
    readings: Sequence[Reading],
    serving: Serving,
    queries: Sequence[Query] = (),
    *,
    health: Health | None = None,
) -> list[Decision | BaseException]:
    """All asked in one turn of the loop; who is chosen is begun with at once, where `health` is given."""

    async def choose(one: Reading, query: Query) -> Decision:
        _, decision = await chooser.choose(one, query, serving, standing=ANONYMOUS)
        if health is not None and decision.chosen.backend is not None:
            assert health.begin(decision.chosen.backend)
        return decision

    asking = [choose(one, query) for one, query in zip(readings, queries or [ASKED] * len(readings), strict=True)]
    return await asyncio.gather(*asking, return_exceptions=True)


def names(decisions: Sequence[Decision | BaseException]) -> list[str]:
    return [one.chosen.backend.id for one in decisions if isinstance(one, Decision) and one.chosen.backend]


async def test_a_backend_that_was_named_is_no_other_of_its_model_whatever_else_is_asked() -> None:
    """Such as what is left of a budget, which is a limit of cost that nobody said."""
    strong = backend("strong", URL)
    cloud = replace(strong, id="cloud", price=backend("cheap", URL).price)
    serving = serve_fixed((strong, cloud, backend("cheap", URL)))
    limited = RoutingOptions(require=Constraints(max_cost_usd=1_000.0))
    wished = [reading(limited, target=name) for name in ("strong", "cloud", "strong")]
    decided = await chosen(chooser(), wished, serving)
    assert names(decided) == ["strong", "cloud", "strong"]
    assert [one.ranking for one in decided if isinstance(one, Decision)] == [(0,), (1,), (0,)]
    of_its_model = await chosen(chooser(), [reading(limited, target="maker/strong")], serving)
    assert [sorted(one.ranking) for one in of_its_model if isinstance(one, Decision)] == [[0, 1]]
    beyond = RoutingOptions(require=Constraints(max_cost_usd=1e-9))
    (refused,) = await chosen(chooser(), [reading(beyond, target="strong")], serving)
    assert isinstance(refused, NoEligibleModelError)
    assert "max_cost_usd" in refused.rejections


async def test_a_model_that_is_denied_is_not_asked_however_its_name_is_written() -> None:
    serving = serve_fixed((backend("strong", URL), backend("cheap", URL)))
    for written in ("maker/strong", "Maker/STRONG", "Strong", "STRONG", "str*", "STRONG-raw", "strong"):
        denied = RoutingOptions(policy="best", deny=(written,))
        assert names(await chosen(chooser(), [reading(denied)], serving)) == ["cheap"], written
        (refused,) = await chosen(chooser(), [reading(denied, target="strong")], serving)
        assert isinstance(refused, NoEligibleModelError), written  # who names and denies it is not answered by it


async def test_who_asks_for_the_cheapest_offer_of_an_unknown_model_is_told_that_it_is_unknown() -> None:
    serving = serve_fixed((backend("strong", URL), backend("cheap", URL)))
    wished = [
        read_options(model=model, body={}, headers={})
        for model in ("maker/nosuch:floor", "maker/strong:floor", "STRONG:nitro", "maker/*:floor")
    ]
    unknown, *known = await chosen(chooser(), wished, serving)
    assert isinstance(unknown, UnknownModelError)
    assert names(known) == ["strong", "strong", "cheap"]


async def test_an_error_of_one_request_reaches_only_that_one() -> None:
    serving = serve_fixed((backend("strong", URL), backend("cheap", URL)))
    nobody = RoutingOptions(require=Constraints(min_quality=0.99))
    wished = [
        reading(RoutingOptions(policy="best")),
        reading(nobody),
        reading(RoutingOptions(policy="thrifty")),
        reading(target="unheard-of"),
        reading(target="cheap"),
        reading(RoutingOptions(policy="best")),
    ]
    found = await chosen(chooser(), wished, serving)
    assert [type(one) for one in found] == [
        Decision,
        NoEligibleModelError,
        InvalidRoutingError,
        UnknownModelError,
        Decision,
        Decision,
    ]
    assert names(found) == ["strong", "cheap", "strong"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Queueing(FixedForecasts):
    """Says the same of every query, as long as nobody waits: then it lasts as long as the queue."""

    def forecasts(self, queries, *, load=None):
        fixed = FixedForecasts.forecasts(self, queries)
        _, _, latency_s, _ = self.bound.estimate(
            input_tokens=np.full((len(queries), 1), 10.0),
            output_tokens=np.full((len(queries), len(self.pool)), 100.0),
            output_tokens_sd=np.zeros((len(queries), len(self.pool))),
            load=load,
        )
        return replace(fixed, latency_s=latency_s)

    def slack(self, load):
        return self.bound.slack(load)

    @property
    def bound(self) -> BoundLatency:
        return BoundLatency(self.pool)


def twins(places: int) -> Serving:
    """The same model on two servers that take so many requests at once."""
    limits = Limits(max_concurrency=places)
    fixed = serve_fixed(
        (backend("strong", URL, limits=limits), replace(backend("strong", URL, limits=limits), id="two"))
    )
    source = Queueing(pool=fixed.pool, fixed=fixed.source.fixed)
    return replace(fixed, source=source, router=Router(source, explore=0.0))


@pytest.mark.parametrize("places", [1, 2, 4])  # of eight, those before are decided about; of fewer, they have begun
async def test_requests_of_one_turn_see_the_load_that_those_before_them_bring(places: int) -> None:
    health = Health(clock=lambda: 0.0)
    wished = [reading(RoutingOptions(policy="fast"))] * 2 * places
    found = await chosen(chooser(health), wished, twins(places), health=health)
    assert names(found) == ["strong"] * places + ["two"] * places


async def test_who_comes_when_all_places_are_taken_is_told_so() -> None:
    health = Health(clock=lambda: 0.0)
    found = await chosen(chooser(health), [reading(RoutingOptions(policy="fast"))] * 3, twins(1), health=health)
    assert names(found[:2]) == ["strong", "two"]
    assert isinstance(found[2], OverloadedError)


def learned(backends: Sequence[Backend] = ()) -> Serving:
    """Served by the shipped predictor."""
    fixed = serve_fixed(tuple(backends) or (backend("strong", URL), backend("cheap", URL)))
    pool = Pool([PoolEntry(profile=entry.profile, backend=entry.backend) for entry in fixed.pool.entries])
    source = Forecaster.load().bind(pool)
    return Serving.of(
        source=source, router=Router(source, explore=0.3), policies=frozenset({"best"}), versions=fixed.versions
    )


async def test_decisions_are_the_same_one_by_one_and_in_company() -> None:
    serving = learned()
    texts = ["What is a prime?", "Prove that there is no largest prime.", "def f(x):\n    return", "caf\u00e9?", ""]
    queries = [Query.from_prompt(text) for text in texts * 9]  # more than are decided at once
    wishes = [RoutingOptions(), RoutingOptions(policy="best"), RoutingOptions(policy="fast")]
    wished = [reading(wishes[k % 3]) for k in range(len(queries))]
    together = await chosen(chooser(seed=7), wished, serving, queries)
    one_by_one, alone = chooser(seed=7), []
    for query, wish in zip(queries, wished, strict=True):
        alone += await chosen(one_by_one, [wish], serving, [query])
    assert any(one.explored for one in alone)
    for mine, others in zip(alone, together, strict=True):
        assert (mine.ranking, mine.front, mine.reason, mine.propensity) == (
            others.ranking, others.front, others.reason, others.propensity,
        )  # fmt: skip
        np.testing.assert_allclose(mine.utility, others.utility, rtol=1e-6)
        np.testing.assert_allclose(mine.forecast.cost_usd, others.forecast.cost_usd, rtol=1e-12)


async def test_a_client_that_leaves_takes_nobody_along() -> None:
    serving, one = serve_fixed((backend("strong", URL),)), chooser()
    asking = [asyncio.ensure_future(one.choose(reading(), ASKED, serving, standing=ANONYMOUS)) for _ in range(3)]
    await asyncio.sleep(0)
    asking[1].cancel()
    first, gone, last = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(gone, asyncio.CancelledError)
    assert names([first[1], last[1]]) == ["strong", "strong"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting(Queueing):
    """Says how often its queries were looked at with no load in mind, and how many under some."""

    looked_at: list[int]

    def forecasts(self, queries, *, load=None):
        if load is None:
            self.looked_at.append(len(queries))
        return Queueing.forecasts(self, queries, load=load)


async def test_what_no_load_changes_is_forecast_once_however_often_the_load_changes() -> None:
    health = Health(clock=lambda: 0.0)
    fixed = twins(30)
    source = Counting(pool=fixed.pool, fixed=fixed.source.fixed, looked_at=[])
    serving = replace(fixed, source=source, router=Router(source, explore=0.0))
    await chosen(chooser(health), [reading(RoutingOptions(policy="fast"))] * 60, serving, health=health)
    assert sum(source.looked_at) == 60
    assert len(source.looked_at) <= 4
