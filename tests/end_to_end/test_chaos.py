"""A gateway in a process of its own, badly treated: nothing acknowledged is lost, nothing is charged twice or leaks."""

import asyncio
import json
import resource
import signal
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from gateway.journal import JournalReader
from gateway.server.open_files import raise_limit
from gateway.upstreams.fake import FakeProvider, Misbehaviour
from tests.end_to_end.conftest import Gateway, paretogate, start
from tests.gateway.running import CHAT, HI
from tests.gateway.state.servers import RedisServer
from tests.waiting import AT_MOST_S

pytestmark = pytest.mark.loopback

N_STREAMS = 64
N_IDLE, N_AT_ONCE = 1_000, 20
BODY = {"model": "auto", "messages": HI}


@asynccontextmanager
async def a_gateway(
    state: Path, provider: FakeProvider, more: Mapping[str, str] | None = None
) -> AsyncIterator[Gateway]:
    """Before one model of a provider; killed at the end where it has not gone before."""
    price = {"input": 0.1, "output": 0.2}
    backend = {"id": "fake", "profile": "gpt-4o-mini", "kind": "openai", "base_url": provider.url, "price": price}
    told = {"PARETOGATE_BACKENDS": json.dumps([backend]), "PARETOGATE_EMBEDDED__ENABLED": "off", **(more or {})}
    running = await asyncio.to_thread(start, state, more=told)
    try:
        yield running
    finally:
        await asyncio.to_thread(running.stop, signal.SIGKILL)


@asynccontextmanager
async def a_client(gateway: Gateway, headers: Mapping[str, str] | None = None) -> AsyncIterator[httpx.AsyncClient]:
    everybody = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=gateway.url, timeout=AT_MOST_S, limits=everybody, headers=headers) as client:
        yield client


def open_files(gateway: Gateway) -> int:
    return len(list(Path(f"/proc/{gateway.process.pid}/fd").iterdir()))


def decisions(state: Path) -> list[str]:
    with JournalReader(state / "journal.sqlite3") as reader:
        return [str(call.decision["decision_id"]) for call in reader.calls()]


class Streams:
    """Requests for streams, each read from its first content on."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self.decision_ids: list[str] = []
        self.predicted_usd: list[float] = []
        self._begun = asyncio.Semaphore(0)

    async def read(self) -> bytes:
        """One stream, as far as it comes."""
        got = b""
        try:
            async with self._client.stream("POST", CHAT, json={**BODY, "stream": True}) as answer:
                self.decision_ids.append(answer.headers["x-paretogate-decision-id"])
                self.predicted_usd.append(float(answer.headers["x-paretogate-predicted-cost-usd"]))
                async for data in answer.aiter_bytes():
                    got += data
                    self._begun.release()
        except httpx.TransportError:
            pass  # as far as it came
        return got

    async def begin(self, n: int) -> list[asyncio.Task[bytes]]:
        """So many of them; returns when each has said something."""
        tasks = [asyncio.create_task(self.read()) for _ in range(n)]
        while len(self.decision_ids) < n:
            async with asyncio.timeout(AT_MOST_S):
                await self._begun.acquire()
        return tasks


async def test_a_worker_that_dies_amid_streams_loses_no_decision_and_charges_nothing_twice(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    redis, state = redis_server.client(), tmp_path / "state"
    limits = ("--tenant", "acme", "--budget-usd-per-day", "1", "--max-concurrency", "100", "--json")
    made = json.loads((await asyncio.to_thread(paretogate, "keys", "create", *limits, state=state)).stdout)
    key = {"authorization": f"Bearer {made['key']}"}
    shared = {"PARETOGATE_STATE__URL": redis_server.url, "PARETOGATE_STATE__TIMEOUT_MS": "10000"}

    def spent_usd() -> float:
        return sum(int(redis.get(name)) for name in redis.keys("*usd:????-??-??")) / 1e9  # midnight may pass meanwhile

    async with FakeProvider() as provider:
        provider.misbehave(Misbehaviour(fault="stall", delay_s=600.0), times=N_STREAMS)
        async with a_gateway(state, provider, shared) as first, a_client(first, key) as client:
            streams = Streams(client)
            tasks = await streams.begin(N_STREAMS)
            await asyncio.to_thread(first.stop, signal.SIGKILL)
            told = await asyncio.gather(*tasks)
        assert all(b"Hello" in one and b"[DONE]" not in one for one in told)
        forecast_usd = pytest.approx(sum(streams.predicted_usd), abs=N_STREAMS * 1e-9)  # each in whole billionths
        assert spent_usd() == forecast_usd  # what nobody can bill is charged as forecast

        async with a_gateway(state, provider, shared) as second, a_client(second, key) as client:
            last = await client.post(CHAT, json=BODY)
            assert await asyncio.to_thread(second.stop) == 0
    billed = float(last.headers["x-paretogate-cost-usd"])
    assert spent_usd() - billed == forecast_usd
    stored = decisions(state)
    assert sorted(stored) == sorted([*streams.decision_ids, last.headers["x-paretogate-decision-id"]])
    assert not list((state / "spool").iterdir())
    redis.close()


@pytest.fixture
def hangups_heard() -> Iterator[None]:
    """Whoever runs the tests under nohup has them ignored, and a gateway that begins so ignores them, too."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


async def takes_more(gateway: Gateway) -> bool:
    try:
        async with httpx.AsyncClient(timeout=AT_MOST_S) as another:
            await another.get(f"{gateway.url}/health")
    except httpx.ConnectError:
        return False
    return True


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP], ids=["told", "its terminal closed"])
@pytest.mark.usefixtures("hangups_heard")
async def test_told_to_stop_it_lets_streams_end_and_takes_no_more(how: signal.Signals, tmp_path: Path) -> None:
    go_on = asyncio.Event()
    async with FakeProvider() as provider:
        provider.misbehave(Misbehaviour(fault="stall", until=go_on), times=8)
        async with a_gateway(tmp_path / "state", provider) as gateway, a_client(gateway) as client:
            tasks = await Streams(client).begin(8)
            stopping = asyncio.create_task(asyncio.to_thread(gateway.stop, how))
            async with asyncio.timeout(AT_MOST_S):
                while await takes_more(gateway):  # noqa: ASYNC110 - seen from outside only
                    await asyncio.sleep(0.1)
            go_on.set()
            told = await asyncio.gather(*tasks)
            assert await stopping == 0
    assert all(one.endswith(b"data: [DONE]\n\n") for one in told)


@pytest.mark.parametrize("when_full", ["count", "refuse"])
async def test_on_a_full_disk_requests_are_answered_or_refused_as_configured_and_nothing_is_torn(
    tmp_path: Path, when_full: str
) -> None:
    state = tmp_path / "state"
    more = {"PARETOGATE_JOURNAL__WHEN_FULL": when_full}
    async with FakeProvider() as provider, a_gateway(state, provider, more) as gateway, a_client(gateway) as client:
        before = await client.post(CHAT, json=BODY)
        (segment,) = (state / "spool").glob("*/*.jsonl")
        room = segment.stat().st_size + 100  # less than a record: the next one tears
        _, most = resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (room, most))
        full = [await client.post(CHAT, json=BODY) for _ in range(5)]
        lost = [line for line in (await client.get("/metrics")).text.splitlines() if 'fact="lost"' in line]
        resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (most, most))
        after = await client.post(CHAT, json=BODY)
        assert await asyncio.to_thread(gateway.stop) == 0
    if when_full == "count":
        assert {answer.status_code for answer in full} == {200}
        assert lost == ['paretogate_journal{fact="lost"} 10.0']  # a decision and an outcome each
    else:
        assert {answer.status_code for answer in full} == {503}
        assert {answer.json()["error"]["code"] for answer in full} == {"journal_full"}
        assert len(provider.requests) == 2
    assert decisions(state) == [answer.headers["x-paretogate-decision-id"] for answer in (before, after)]


@pytest.fixture
def limit_of_files() -> Iterator[None]:
    """As it was, afterwards. Most shells begin with 1,024, of far more that are allowed."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("limit_of_files")
async def test_a_thousand_idle_connections_cost_nobody_his_answer_and_leave_nothing_behind(tmp_path: Path) -> None:
    async with FakeProvider() as provider, a_gateway(tmp_path / "state", provider) as gateway:
        async with a_client(gateway) as client:
            await client.post(CHAT, json=BODY)
            before = open_files(gateway)
            where = urlsplit(gateway.url)
            raise_limit()
            idle = [socket.create_connection((where.hostname, where.port)) for _ in range(N_IDLE)]
            for connection in idle[::2]:  # these were of use once
                connection.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n")
                assert connection.recv(1024).startswith(b"HTTP/1.1 200")
            assert open_files(gateway) >= before + N_IDLE
            answers = await asyncio.gather(*(client.post(CHAT, json=BODY) for _ in range(N_AT_ONCE)))
            assert {answer.status_code for answer in answers} == {200}
            for connection in idle:
                connection.close()
        async with asyncio.timeout(AT_MOST_S):
            while open_files(gateway) > before + N_AT_ONCE:  # noqa: ASYNC110 - some to the provider are kept
                await asyncio.sleep(0.1)
        assert await asyncio.to_thread(gateway.stop) == 0
