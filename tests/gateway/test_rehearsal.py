import asyncio
import heapq
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from catalog import Backend
from gateway.dispatch import Clocks
from gateway.keys import KeyFile, KeyRing
from gateway.rehearsal import Rehearsal, Rehearsals, Timers
from gateway.serving import Serving
from gateway.settings import InvalidSettingsError, Settings, load_settings
from gateway.telemetry import Telemetry
from gateway.upstreams.fake import FakeProvider
from router import Router
from tests.gateway.running import backend, running, serve_fixed
from tests.waiting import until

NOWHERE = "http://127.0.0.1:9/v1"


class Agenda:
    """The timers of an event loop, by a clock that the test turns."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def time(self) -> float:
        return self.now_s

    def call_later(self, delay_s: float, callback: Callable[[Timers], None], argument: Timers, /) -> None:
        self._count += 1
        heapq.heappush(self.due, (self.now_s + delay_s, self._count, lambda: callback(argument)))

    def go_on(self, for_s: float) -> None:
        """Let so much time pass."""
        until_s = self.now_s + for_s
        while self.due and self.due[0][0] <= until_s:
            self.now_s, _, call = heapq.heappop(self.due)
            call()
        self.now_s = until_s


def rehearsed_every(every_s: float, *, cold: float = 3.0) -> tuple[Agenda, Rehearsals, list[float]]:
    """One that takes `cold` times as long as right after another; with the times at which it was begun."""
    agenda, at_s, took_s = Agenda(), list[float](), [0.0]

    def rehearse(ended: Callable[[], None]) -> None:
        is_warm = bool(at_s) and at_s[-1] == agenda.now_s
        at_s.append(agenda.now_s)
        took_s[0] += 1e-3 if is_warm else cold * 1e-3
        ended()

    return agenda, Rehearsals(rehearse, every_s=every_s, loop=agenda, clock=lambda: took_s[0]), at_s


def test_it_is_rehearsed_for_a_while_after_a_request_and_then_no_more() -> None:
    agenda, rehearsals, at_s = rehearsed_every(0.01)
    agenda.go_on(1.0)
    assert at_s == []  # nothing has happened yet
    rehearsals.stir()
    agenda.go_on(1.0)
    assert len(set(at_s)) == pytest.approx(15, abs=1)
    assert agenda.due == []  # and the loop may sleep
    rehearsals.stir()
    agenda.go_on(1.0)
    assert len(set(at_s)) == pytest.approx(30, abs=2)


def test_where_caches_stay_warm_by_themselves_it_is_only_tried_once_a_minute() -> None:
    def begun_in(cold: float, seconds: int) -> int:
        agenda, rehearsals, at_s = rehearsed_every(0.01, cold=cold)
        for _ in range(10 * seconds):
            rehearsals.stir()
            agenda.go_on(0.1)
        return len(at_s)

    a_trial = 2 * 9  # pairs
    assert begun_in(1.2, 50) == a_trial
    assert begun_in(1.2, 70) == 2 * a_trial
    assert begun_in(2.0, 50) > 3_000
    assert begun_in(2.0, 70) > begun_in(2.0, 50) + 1_000  # and the next trial finds the same


def test_requests_that_follow_upon_each_other_need_no_rehearsals() -> None:
    agenda, rehearsals, at_s = rehearsed_every(0.01)
    for _ in range(100):
        rehearsals.stir()
        agenda.go_on(0.004)
    assert at_s == []
    for _ in range(100):
        rehearsals.stir()
        assert len(agenda.due) == 1  # however often it was stirred
        agenda.go_on(0.012)
    assert len(at_s) > 50


def test_none_is_begun_after_the_end() -> None:
    agenda, rehearsals, at_s = rehearsed_every(0.01)
    rehearsals.stir()
    agenda.go_on(0.05)
    begun = len(at_s)
    rehearsals.end()
    rehearsals.stir()
    agenda.go_on(1.0)
    assert len(at_s) == begun > 0
    assert agenda.due == []


@pytest.mark.enable_socket
@pytest.mark.parametrize(("rehearse_ms", "n_made"), [(0, 0), (20, 1)])
async def test_a_rehearsal_is_made_only_where_the_operator_wants_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rehearse_ms: int, n_made: int
) -> None:
    made: list[Rehearsal] = []

    def noted(*args: Any, **named: Any) -> Rehearsal:
        made.append(Rehearsal(*args, **named))
        return made[-1]

    monkeypatch.setattr("gateway.app.Rehearsal", noted)
    settings = {"server": {"rehearse_ms": rehearse_ms}}
    async with running(backend("cheap", NOWHERE), tmp_path=tmp_path, settings=settings) as gateway:
        await gateway.client.get("/health/liveliness")
        assert len(made) == n_made


def test_a_time_that_makes_no_sense_is_told_by_its_name() -> None:
    assert Settings().server.rehearse_ms == 20
    with pytest.raises(InvalidSettingsError, match=r"server\.rehearse_ms"):
        load_settings(environ={"PARETOGATE_SERVER__REHEARSE_MS": "-1"})


def rehearsal_of(serving: Callable[[], Serving], tmp_path: Path) -> Rehearsal:
    clocks = Clocks(wall=lambda: 1_700_000_000.0, monotonic=lambda: 0.0)
    keys = KeyRing(KeyFile(tmp_path / "keys.json"), clock=clocks.monotonic, wall=clocks.wall)
    return Rehearsal(serving, make_serving=serve_fixed, keys=keys, clocks=clocks)


async def rehearse(rehearsal: Rehearsal, times: int) -> None:
    for _ in range(times):
        rehearsal(lambda: None)
        for _ in range(20):
            await asyncio.sleep(0)


def outcomes(telemetry: Telemetry) -> dict[str, float]:
    telemetry.refresh()
    samples = (sample for metric in telemetry.registry.collect() for sample in metric.samples)
    return {s.labels["outcome"]: s.value for s in samples if s.name == "paretogate_requests_total"}


async def test_a_rehearsal_goes_all_the_way_to_an_answer(tmp_path: Path) -> None:
    serving = serve_fixed((backend("strong", NOWHERE), backend("cheap", NOWHERE)))
    rehearsal = rehearsal_of(lambda: serving, tmp_path)
    await rehearse(rehearsal, 3)
    assert outcomes(rehearsal.telemetry) == {"ok": 3.0}


async def test_what_fails_is_not_rehearsed_until_something_else_is_served(tmp_path: Path) -> None:
    now = [serve_fixed(())]
    rehearsal = rehearsal_of(lambda: now[0], tmp_path)
    await rehearse(rehearsal, 3)
    assert outcomes(rehearsal.telemetry) == {"no_eligible_model": 1.0}
    now[0] = serve_fixed((backend("cheap", NOWHERE),))
    await rehearse(rehearsal, 3)
    assert outcomes(rehearsal.telemetry) == {"no_eligible_model": 1.0, "ok": 3.0}


async def test_one_that_has_not_ended_is_not_begun_again(tmp_path: Path) -> None:
    serving = serve_fixed((backend("cheap", NOWHERE),))
    rehearsal = rehearsal_of(lambda: serving, tmp_path)
    ends = []
    for number in range(5):
        rehearsal(partial(ends.append, number))
    await until(lambda: ends)
    assert outcomes(rehearsal.telemetry) == {"ok": 1.0}
    assert ends == [0]
    rehearsal(partial(ends.append, 5))
    await until(lambda: len(ends) > 1)
    assert ends == [0, 5]


async def test_one_that_is_cancelled_as_the_process_ends_is_followed_by_no_other(tmp_path: Path) -> None:
    serving = serve_fixed((backend("cheap", NOWHERE),))
    rehearsal, ends = rehearsal_of(lambda: serving, tmp_path), list[int]()
    rehearsal(partial(ends.append, 0))
    (task,) = asyncio.all_tasks() - {asyncio.current_task()}
    task.cancel()
    await asyncio.wait([task])
    await asyncio.sleep(0)
    assert task.cancelled()
    assert ends == []


@pytest.mark.enable_socket
async def test_nobody_but_the_caches_sees_a_rehearsal(tmp_path: Path) -> None:
    """Neither a backend, the journal, the metrics nor the choices to come."""
    without = await told_of_ten(tmp_path / "without", rehearse_ms=0)
    assert await told_of_ten(tmp_path / "with", rehearse_ms=2) == without
    assert len(set(without.models)) == 2  # these were drawn


@dataclass
class Told:
    models: list[str]
    n_records: int
    n_asked: int
    metrics: list[str]


async def told_of_ten(state: Path, *, rehearse_ms: int) -> Told:
    async with FakeProvider() as provider:
        both = (backend("strong", provider.url), backend("cheap", provider.url))
        settings = {"server": {"rehearse_ms": rehearse_ms}}
        async with running(*both, tmp_path=state, settings=settings, make_serving=serve_exploring) as gateway:
            models = []
            for _ in range(10):
                answer = await gateway.chat()
                models.append(answer.headers["x-paretogate-model"])
                await asyncio.sleep(0.02)
            exposed = (await gateway.client.get("/metrics")).text.splitlines()
            counts = [line for line in exposed if not re.search("_seconds|_bytes|_created", line)]
            return Told(models, len(gateway.journal.records), len(provider.requests), counts)


def serve_exploring(backends: tuple[Backend, ...], *, also: tuple[str, ...] = ()) -> Serving:
    fixed = serve_fixed(backends, also=also)
    return replace(fixed, router=Router(fixed.source, explore=0.9))
