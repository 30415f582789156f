"""Predictors are promoted and taken back while two workers serve, and processes are killed amid it."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from gateway.upstreams.fake import FakeProvider
from predictors.journal.records import with_candidate_rows
from predictors.versions import PredictorVersions
from tests.gateway.running import CHAT
from tests.waiting import AT_MOST_S

from .conftest import Gateway, environment, paretogate, start
from .test_workers import workers_of

pytestmark = pytest.mark.loopback

MODELS = ("openai/gpt-4o-mini", "openai/gpt-4o")
EACH_ANEW = httpx.Limits(max_keepalive_connections=0)
BODY = {"model": "auto", "messages": [{"role": "user", "content": "What is 2 + 2?"}], "routing": {"policy": "best"}}


@pytest.fixture(scope="module")
def challenger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A predictor that has learned that the cheap model alone is right."""
    folder = tmp_path_factory.mktemp("challenger")
    rows = [
        {"prompt": f"What is {i} + {i}?", "model": m, "score": float(m == MODELS[0])} for i in range(60) for m in MODELS
    ]
    pl.DataFrame(rows).write_csv(folder / "mine.csv")
    made = paretogate("train", str(folder / "mine.csv"), "--out", str(folder / "mine"), state=folder)
    assert made.returncode == 0, made.stderr
    return folder / "mine"


class Clients:
    """Ask all the time, over a connection of its own for every request, so that both workers get some."""

    def __init__(self, url: str) -> None:
        self.url, self.stopped = url, False
        self._asking: list[asyncio.Task[None]] = []
        self.statuses: list[int] = []
        self.broken = 0  # connections that ended without an answer

    def begin(self) -> None:
        """Four at a time, until the end."""
        self._asking = [asyncio.create_task(self._ask()) for _ in range(4)]

    async def end(self) -> None:
        """No further requests; returns when the last is answered."""
        self.stopped = True
        await asyncio.gather(*self._asking)

    async def _ask(self) -> None:
        async with httpx.AsyncClient(timeout=AT_MOST_S, limits=EACH_ANEW) as client:
            while not self.stopped:
                try:
                    self.statuses.append((await client.post(f"{self.url}{CHAT}", json=BODY)).status_code)
                except httpx.TransportError:
                    self.broken += 1
                await asyncio.sleep(0.02)  # what is shown needs traffic, and the processors are others' too

    async def answered(self, n: int) -> None:
        """Until so many more requests are answered."""
        wanted = len(self.statuses) + n
        async with asyncio.timeout(AT_MOST_S):
            while len(self.statuses) < wanted:  # noqa: ASYNC110 - seen from outside only
                await asyncio.sleep(0.02)


@asynccontextmanager
async def serving(state: Path) -> AsyncIterator[tuple[Gateway, Clients]]:
    async with FakeProvider() as provider:
        backends = [{"id": m, "profile": m, "kind": "openai", "base_url": provider.url} for m in MODELS]
        more = {"PARETOGATE_BACKENDS": json.dumps(backends), "PARETOGATE_EMBEDDED__ENABLED": "off",
                "PARETOGATE_LEARNING__EXPLORE": "0.5"}  # fmt: skip
        gateway = await asyncio.to_thread(start, state, "--workers", "2", more=more)
        clients = Clients(gateway.url)
        try:
            yield gateway, clients
        finally:
            await clients.end()
            await asyncio.to_thread(gateway.stop)


async def forecasts(url: str, *, exact: bool = False) -> set[str]:
    """What the workers forecast and choose; several times, so that both are asked.

    What is forecast for several requests at once differs by 1e-8: only of requests that come alone it is `exact`.
    """
    told = set()
    async with httpx.AsyncClient(timeout=AT_MOST_S, limits=EACH_ANEW) as client:
        for _ in range(8):
            body = {**BODY, "routing": {"policy": "best", "explore": False}}
            said: dict[str, Any] = (await client.post(f"{url}/routing{CHAT}", json=body)).json()
            quality = [{name: c["quality"][name] if exact else round(c["quality"][name], 6) for name in c["quality"]}
                       for c in said["candidates"]]  # fmt: skip
            told.add(json.dumps([said["chosen"], said["versions"], quality]))
    return told


async def settles(url: str, *, other_than: set[str]) -> set[str]:
    """What both workers forecast, once they agree on something else."""
    async with asyncio.timeout(AT_MOST_S):
        while len(now := await forecasts(url)) > 1 or now & other_than:  # noqa: ASYNC110 - seen from outside only
            await asyncio.sleep(0.1)
    return now


def killed_amid(command: str, *, state: Path, after_s: float) -> None:
    """A command that is begun and, so much later, killed."""
    change = subprocess.Popen(
        [sys.executable, "-m", "gateway.cli", command],
        env=environment(state),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(after_s)
    change.kill()
    change.wait()


def decisions(state: Path) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(state / "journal.sqlite3")) as db:
        rows = db.execute("SELECT record FROM decisions ORDER BY seq").fetchall()
    return [dict(with_candidate_rows(json.loads(row))) for (row,) in rows]


async def test_no_request_fails_and_none_is_decided_by_two_predictors(tmp_path: Path, challenger: Path) -> None:
    state = tmp_path / "state"
    async with serving(state) as (gateway, clients):
        shipped, exactly = await forecasts(gateway.url), await forecasts(gateway.url, exact=True)
        assert len(shipped) == len(exactly) == 1
        clients.begin()
        for _ in range(2):
            PredictorVersions(state / "predictors").promote(challenger, {})
            learned = await settles(gateway.url, other_than=shipped)
            await clients.answered(20)
            assert (await asyncio.to_thread(paretogate, "rollback", state=state)).returncode == 0
            assert await settles(gateway.url, other_than=learned) == shipped
            await clients.answered(20)
        await clients.end()
        assert await forecasts(gateway.url, exact=True) == exactly
    assert (set(clients.statuses), clients.broken) == ({200}, 0)
    said: dict[str, set[tuple[float, ...]]] = {}
    for record in decisions(state):
        if record["reason"] != "named":
            quality = tuple(round(candidate["quality"], 6) for candidate in record["candidates"])
            said.setdefault(record["versions"]["predictor"], set()).add(quality)
    assert len(said) == 2
    assert {len(forecast) for forecast in said.values()} == {1}  # each version forecast the same, whoever decided


async def test_whatever_is_killed_amid_a_change_leaves_one_predictor_in_force(tmp_path: Path, challenger: Path) -> None:
    state = tmp_path / "state"
    async with serving(state) as (gateway, clients):
        shipped = await forecasts(gateway.url)
        clients.begin()
        PredictorVersions(state / "predictors").promote(challenger, {})
        os.kill(workers_of(gateway.process.pid)[0], signal.SIGKILL)
        learned = await settles(gateway.url, other_than=shipped)  # by the worker that was begun in its place, too
        for after_s in (0.2, 0.6, 1.0, 1.4):  # before, amid and after what it writes
            await asyncio.to_thread(killed_amid, "rollback", state=state, after_s=after_s)
            kept = PredictorVersions(state / "predictors")
            if kept.deciding() is None:
                kept.promote(challenger, {})
        assert await settles(gateway.url, other_than=shipped) == learned
        await clients.answered(20)
        while await asyncio.to_thread(lambda: paretogate("rollback", state=state).returncode == 0):
            pass  # as often as it was promoted
        assert await settles(gateway.url, other_than=learned) == shipped
    assert set(clients.statuses) == {200}
    assert clients.broken <= 4  # no more than were under way in the worker that was killed
