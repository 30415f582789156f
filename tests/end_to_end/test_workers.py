"""Several workers of one gateway, each a process of its own, without a Redis: what they count, and how they end."""

import asyncio
import json
import os
import signal
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from gateway.listening import AddressTakenError, open_socket
from gateway.state import spent_in
from gateway.upstreams.fake import FakeProvider
from tests.end_to_end.conftest import paretogate, start
from tests.end_to_end.test_chaos import BODY
from tests.gateway.running import CHAT

pytestmark = pytest.mark.loopback


async def test_two_workers_count_one_rate_and_spend_one_budget(tmp_path: Path) -> None:
    state = tmp_path / "state"
    limits = ("--tenant", "acme", "--requests-per-minute", "9", "--budget-usd-per-day", "1", "--json")
    made = json.loads((await asyncio.to_thread(paretogate, "keys", "create", *limits, state=state)).stdout)
    key = {"authorization": f"Bearer {made['key']}"}

    async def ask(url: str) -> httpx.Response:
        async with httpx.AsyncClient(timeout=60) as client:  # a connection each, so that both workers get some
            return await client.post(f"{url}{CHAT}", json=BODY, headers=key)

    async with FakeProvider() as provider:
        price = {"input": 0.1, "output": 0.2}
        backend = {"id": "fake", "profile": "gpt-4o-mini", "kind": "openai", "base_url": provider.url, "price": price}
        more = {"PARETOGATE_BACKENDS": json.dumps([backend]), "PARETOGATE_EMBEDDED__ENABLED": "off"}
        gateway = await asyncio.to_thread(start, state, "--workers", "2", more=more)
        try:
            answers = await asyncio.gather(*(ask(gateway.url) for _ in range(24)))
        finally:
            await asyncio.to_thread(gateway.stop)
    assert Counter(answer.status_code for answer in answers) == {200: 9, 429: 15}
    billed = sum(Decimal(answer.headers["x-paretogate-cost-usd"]) for answer in answers if answer.status_code == 200)
    ((_, spent),) = spent_in(state / "limits").items()
    assert set(spent.values()) == {int(billed * 10**9)}  # of the day and of the month


def until_healthy(url: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            assert httpx.get(f"{url}/health", timeout=60).status_code == 200
        except httpx.TransportError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        else:
            return


def workers_of(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


def test_workers_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    more = {"PARETOGATE_EMBEDDED__ENABLED": "off", "TMPDIR": str(tmp_path)}
    gateway = start(tmp_path / "state", "--workers", "2", more=more)
    until_healthy(gateway.url)
    assert [*tmp_path.glob("paretogate-metrics-*")]
    gateway.stop(signal.SIGKILL)
    host, port = urlsplit(gateway.url).netloc.split(":")
    deadline = time.monotonic() + 30
    while True:
        try:
            open_socket(host, int(port)).close()  # as the next start does
        except AddressTakenError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        else:
            break
    assert not [*tmp_path.glob("paretogate-metrics-*")]


def test_workers_that_cannot_start_are_not_begun_again_for_ever(tmp_path: Path) -> None:
    more = {"PARETOGATE_EMBEDDED__ENABLED": "off", "PARETOGATE_PREDICTOR__PATH": str(tmp_path / "nowhere")}
    gateway = start(tmp_path / "state", "--workers", "2", more=more)
    try:
        assert gateway.process.wait(timeout=60) == 1
    finally:
        gateway.stop(signal.SIGKILL)
    said = gateway.log.read_text(encoding="utf-8").splitlines()
    assert not any("Traceback" in line for line in said)
    assert "nowhere: manifest.json cannot be read" in said[0]
    assert said[-1] == "error: the workers could not start; the lines above say why"


def test_a_worker_that_cannot_be_replaced_leaves_the_other_serving(tmp_path: Path) -> None:
    overlay = tmp_path / "own.toml"
    overlay.write_text("", encoding="utf-8")
    overlays = json.dumps([str(overlay)])
    more = {
        "PARETOGATE_EMBEDDED__ENABLED": "off",
        "PARETOGATE_CATALOG__OVERLAYS": overlays,
        "TMPDIR": str(tmp_path),
    }
    gateway = start(tmp_path / "state", "--workers", "2", more=more)
    try:
        until_healthy(gateway.url)
        overlay.write_text("broken", encoding="utf-8")
        os.kill(workers_of(gateway.process.pid)[0], signal.SIGKILL)
        deadline = time.monotonic() + 60
        while gateway.log.read_text(encoding="utf-8").count("error: ") < 2:  # tried again and again
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert httpx.get(f"{gateway.url}/health", timeout=60).status_code == 200
    finally:
        gateway.stop(signal.SIGKILL)
