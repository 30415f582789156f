"""Several workers of one gateway, each a process of its own, without a Redis: what they count, and how they end."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from gateway.server.listening import AddressTakenError, open_socket
from gateway.state import spent_in
from gateway.upstreams.fake import FakeProvider
from tests.end_to_end.conftest import paretogate, start
from tests.end_to_end.test_chaos import BODY
from tests.gateway.running import CHAT
from tests.waiting import AT_MOST_S, wait_until

pytestmark = pytest.mark.loopback


async def test_two_workers_count_one_rate_and_spend_one_budget(tmp_path: Path) -> None:
    state = tmp_path / "state"
    limits = ("--tenant", "acme", "--requests-per-minute", "9", "--budget-usd-per-day", "1", "--json")
    made = json.loads((await asyncio.to_thread(paretogate, "keys", "create", *limits, state=state)).stdout)
    key = {"authorization": f"Bearer {made['key']}"}

    async def ask(url: str) -> httpx.Response:
        async with httpx.AsyncClient(timeout=AT_MOST_S) as client:  # a connection each, so that both workers get some
            return await client.post(f"{url}{CHAT}", json=BODY, headers=key)

    async with FakeProvider() as provider:
        price = {"input": 0.1, "output": 0.2}
        backend = {"id": "fake", "profile": "gpt-4o-mini", "kind": "openai", "base_url": provider.url, "price": price}
        more = {"PARETOGATE_BACKENDS": json.dumps([backend]), "PARETOGATE_EMBEDDED__ENABLED": "off"}
        gateway = await asyncio.to_thread(start, state, "--workers", "2", more=more)
        try:
            began_s = time.monotonic()
            answers = await asyncio.gather(*(ask(gateway.url) for _ in range(24)))
            took_s = time.monotonic() - began_s
        finally:
            await asyncio.to_thread(gateway.stop)
    statuses = Counter(answer.status_code for answer in answers)
    assert 9 <= statuses[200] <= 9 + took_s * 9 / 60  # nine, and one more for every 6.7 s that a busy machine takes
    assert statuses[429] == 24 - statuses[200]
    billed = sum(Decimal(answer.headers["x-paretogate-cost-usd"]) for answer in answers if answer.status_code == 200)
    ((_, spent),) = spent_in(state / "limits").items()
    for length in (len("2026-12-01"), len("2026-12")):  # of days and of months: one of each, unless one ends meanwhile
        assert sum(nano for period, nano in spent.items() if len(period) == length) == int(billed * 10**9)


def until_healthy(url: str) -> None:
    def answers() -> bool:
        with suppress(httpx.TransportError):
            assert httpx.get(f"{url}/health", timeout=AT_MOST_S).status_code == 200
            return True
        return False

    wait_until(answers)


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

    def is_free() -> bool:
        with suppress(AddressTakenError):
            open_socket(host, int(port)).close()  # as the next start does
            return True
        return False

    wait_until(is_free)
    assert not [*tmp_path.glob("paretogate-metrics-*")]


def test_workers_that_cannot_start_are_not_begun_again_for_ever(tmp_path: Path) -> None:
    more = {"PARETOGATE_EMBEDDED__ENABLED": "off", "PARETOGATE_PREDICTOR__PATH": str(tmp_path / "nowhere")}
    gateway = start(tmp_path / "state", "--workers", "2", more=more)
    try:
        assert gateway.process.wait(timeout=AT_MOST_S) == 1
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
        # Whoever has a folder there has read the overlay; one that was still to would take all of them along.
        wait_until(lambda: len([*(tmp_path / "state" / "spool").glob("*")]) == 2)
        overlay.write_text("broken", encoding="utf-8")
        os.kill(workers_of(gateway.process.pid)[0], signal.SIGKILL)

        def pauses() -> list[str]:
            """Without that of a worker that was a minute old when it was killed, on a machine so busy."""
            told = re.findall(r"worker_died.*again_after_s=(\S+)", gateway.log.read_text("utf-8"))
            return [pause for pause in told if pause != "0.0"]

        wait_until(lambda: len(pauses()) >= 2)
        assert pauses()[:2] == ["0.5", "1.0"]  # tried again and again, but not as fast as it goes
        assert httpx.get(f"{gateway.url}/health", timeout=AT_MOST_S).status_code == 200
    finally:
        gateway.stop(signal.SIGKILL)


ALONE = """
import multiprocessing, os, signal, socket, sys, time
from functools import partial
from gateway.server.workers import run_workers
async def application(scope, receive, send):
    while (await receive())["type"] != "lifespan.shutdown":
        await send({"type": "lifespan.startup.complete"})
    await send({"type": "lifespan.shutdown.complete"})
def build():
    if sys.argv[1] == "is orphaned":
        print("begins", file=sys.stderr, flush=True)
        multiprocessing.parent_process().join()
        open("/nowhere/that was cleared away")
    return application if sys.argv[1] == "serves" else os._exit(7)
if __name__ == "__main__":
    orphaned = partial(time.sleep, 60 if sys.argv[1] == "is orphaned" else 0)
    run_workers(build, [socket.create_server(("127.0.0.1", 0))], workers=2, orphaned=orphaned)
"""


def supervisor(folder: Path, worker: str = "dies") -> subprocess.Popen[str]:
    """Two workers of which each dies as soon as it would make the application, or is orphaned by then, or serves."""
    program = folder / "alone.py"
    program.write_text(ALONE, encoding="utf-8")
    command = [sys.executable, "-P", str(program), worker]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)


def test_where_every_worker_dies_before_it_serves_the_gateway_ends(tmp_path: Path) -> None:
    with supervisor(tmp_path) as process:
        said = process.communicate(timeout=AT_MOST_S)[1]
    assert process.returncode == 1
    assert said.rstrip().endswith("the workers could not start; the lines above say why")


def test_workers_whose_parent_is_killed_while_they_start_end_without_a_traceback(tmp_path: Path) -> None:
    """What the first to notice clears away, such as the folder of metrics, the others were about to use."""
    with supervisor(tmp_path, "is orphaned") as process:
        assert process.stderr is not None
        assert [process.stderr.readline() for _ in range(2)] == ["begins\n"] * 2
        process.kill()
        said = process.communicate(timeout=AT_MOST_S)[1]
    assert said == ""


def test_an_interrupt_meets_workers_that_are_only_starting_without_a_traceback(tmp_path: Path) -> None:
    def minds(pid: int) -> bool:
        """Whether Python runs there by now and would turn an interrupt into an exception."""
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        return bool(int(re.findall(r"SigCgt:\s*(\w+)", status)[0], 16) & 1 << signal.SIGINT - 1)

    with supervisor(tmp_path) as process:
        while not any(minds(worker) for worker in workers_of(process.pid)):
            assert process.poll() is None
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGINT)
        said = process.communicate(timeout=AT_MOST_S)[1]
    assert (process.returncode, said) == (0, "")


def test_workers_are_replaced_one_by_one_and_end_when_told_amid_it(tmp_path: Path) -> None:
    with supervisor(tmp_path, "serves") as process:
        while len(first := workers_of(process.pid)) < 2:
            time.sleep(0.01)
        process.send_signal(signal.SIGHUP)
        seen: set[int] = set()
        while set(first) & set(now := workers_of(process.pid)) or len(now) < 2:
            assert process.poll() is None
            seen.add(len(now))
            time.sleep(0.01)
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=AT_MOST_S)[1]
    assert (process.returncode, said) == (0, "")
    assert min(seen) == 2  # never fewer
