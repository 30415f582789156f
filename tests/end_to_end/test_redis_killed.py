"""A real Redis, killed amid load and started again: requests go on, limits rest on memory, and nothing is forgotten."""

import asyncio
import json
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from gateway.journal import JournalReader
from gateway.upstreams.fake import FakeProvider
from tests.end_to_end.conftest import Gateway, paretogate
from tests.end_to_end.test_chaos import BODY, a_client, a_gateway
from tests.gateway.running import CHAT
from tests.gateway.state.servers import RedisServer
from tests.waiting import AT_MOST_S

pytestmark = pytest.mark.loopback

N_CLIENTS, N_REQUESTS = 8, 30  # in each of the three times
MOST_USD = Decimal("0.00001")  # of one request, generously


def spent_usd_in(redis: RedisServer) -> Decimal:
    with redis.client() as client:  # of every day there is: midnight may pass meanwhile
        return sum((Decimal(int(client.get(name))) for name in client.keys("*usd:????-??-??")), Decimal()) / 10**9


def make_key(state: Path, *limits: str) -> dict[str, str]:
    made = paretogate("keys", "create", "--tenant", "acme", *limits, "--json", state=state)
    return {"authorization": f"Bearer {json.loads(made.stdout)['key']}"}


async def load(client: httpx.AsyncClient, n_requests: int, headers: dict[str, str]) -> list[httpx.Response]:
    """So many requests, `N_CLIENTS` at a time."""
    todo, answers = iter(range(n_requests)), []

    async def work() -> None:
        for _ in todo:
            answers.append(await client.post(CHAT, json=BODY, headers=headers))

    await asyncio.gather(*(work() for _ in range(N_CLIENTS)))
    return answers


async def is_degraded(gateway: Gateway) -> bool:
    async with httpx.AsyncClient(timeout=AT_MOST_S) as client:
        lines = (await client.get(f"{gateway.url}/metrics")).text.splitlines()
    return "paretogate_state_degraded 1.0" in lines


async def test_requests_go_on_while_redis_is_dead_and_it_learns_what_it_missed(
    tmp_path: Path, kept_redis: RedisServer
) -> None:
    state = tmp_path / "state"
    rich = await asyncio.to_thread(make_key, state, "--budget-usd-per-day", "1")
    slow = await asyncio.to_thread(make_key, state, "--requests-per-minute", "5")
    shared = {
        "PARETOGATE_STATE__URL": kept_redis.url,
        "PARETOGATE_STATE__TIMEOUT_MS": "5000",
    }
    async with FakeProvider() as provider, a_gateway(state, provider, shared) as gateway, a_client(gateway) as client:
        answers = await load(client, N_REQUESTS, rich)
        assert not await is_degraded(gateway)
        amid = asyncio.create_task(load(client, 2 * N_REQUESTS, rich))
        await asyncio.sleep(0.05)
        await asyncio.to_thread(kept_redis.kill)
        answers += await amid + await load(client, N_REQUESTS, rich)
        assert await is_degraded(gateway)
        began_s = time.monotonic()
        limited = await load(client, 12, slow)  # by this replica's own memory
        took_s = time.monotonic() - began_s
        await asyncio.to_thread(kept_redis.start)
        async with asyncio.timeout(AT_MOST_S):
            while await is_degraded(gateway):
                answers += await load(client, 1, rich)
                await asyncio.sleep(0.1)
        answers += await load(client, 2 * N_REQUESTS, rich)  # each pays back a part of what is owed
        assert await asyncio.to_thread(gateway.stop) == 0
        assert Counter(answer.status_code for answer in answers) == {200: len(answers)}
        statuses = Counter(answer.status_code for answer in limited)
        assert 5 <= statuses[200] <= 5 + took_s * 5 / 60  # one more for every 12 s that a busy machine takes
        assert statuses[429] == 12 - statuses[200]
        spent_usd = spent_usd_in(kept_redis)
    billed_usd = sum(Decimal(answer.headers["x-paretogate-cost-usd"]) for answer in answers)
    # What was on its way when it died, or when it came back, may be charged twice: by the estimate; never less than
    # the bill. On a slow machine a Redis that starts is lost and found a few times.
    assert billed_usd <= spent_usd <= billed_usd + 5 * N_CLIENTS * MOST_USD
    kept = [a for a in (*answers, *limited) if a.status_code == 200]
    with JournalReader(state / "journal.sqlite3") as reader:
        statuses = {call.decision["decision_id"]: [o["status"] for o in call.outcomes] for call in reader.calls()}
    assert statuses == {answer.headers["x-paretogate-decision-id"]: ["ok"] for answer in kept}
