"""What the gateway adds to a call, with learned routing, constraints and the journal on.

    python -m tests.benchmarks.bench_gateway [--seconds 3] [--rounds 5] [--connections 64]

A mock upstream and the load share one core; a bare Starlette + aiohttp pass-through and the gateway take turns on
another, in one interleaved run, so that a noisy machine disturbs both alike. Ratios are what to read.
"""

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop

from tests.benchmarks.loopback import Measurement, drive

PATH = "/v1/chat/completions"
PROMPT = "Write a function that returns the n-th prime number, and explain why it is correct."


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="per target and round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=64)
    args = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    front, back = cores[0], cores[-1]
    os.sched_setaffinity(0, {back})
    with _process("loopback", back, "0") as mock, _process("loopback", back, "0.1") as slow:
        for title, upstream, body, connections in (
            ("whole answers", mock, _body(stream=False), args.connections),
            ("streams of 22 events", mock, _body(stream=True), args.connections),
            ("4,000-token prompts", mock, _body(stream=False, words=3000), args.connections),
            ("upstream of 100 ms, 8 connections", slow, _body(stream=False), 8),
        ):
            with (
                _process("pass_through", front, str(upstream.port)) as plain,
                _process("whole_gateway", front, str(upstream.port)) as ours,
            ):
                results = uvloop.run(_rounds(args, (plain, ours), body, connections))
                _report(title, (plain, ours), results)


@dataclass
class _Process:
    name: str
    pid: int
    port: int
    startup_s: float

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_mb(self) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@dataclass
class _Round:
    seen: Measurement
    cpu_us: float  # per request


async def _rounds(
    args: argparse.Namespace, targets: Sequence[_Process], body: bytes, connections: int
) -> dict[str, list[_Round]]:
    found: dict[str, list[_Round]] = {target.name: [] for target in targets}
    for target in targets:
        await drive(target.port, PATH, body, connections=connections, seconds=1.0)  # warm
    for _ in range(args.rounds):
        for target in targets:
            before = target.cpu_s()
            seen = await drive(target.port, PATH, body, connections=connections, seconds=args.seconds)
            spent = target.cpu_s() - before
            found[target.name].append(_Round(seen=seen, cpu_us=1e6 * spent / max(1, len(seen.latencies_s))))
    return found


def _report(title: str, targets: Sequence[_Process], results: dict[str, list[_Round]]) -> None:
    delay_ms = 100.0 if "100 ms" in title else 0.0
    say = sys.stdout.write
    say(f"\n{title}\n")
    columns = ("req/s", "p50 ms", "p99 ms", "1st byte", "CPU us", "RSS MB", "start s", "failed")
    say(" " * 14 + "".join(f"{column:>10}" for column in columns) + "\n")
    rates = {}
    for target in targets:
        rounds = results[target.name]
        rates[target.name] = statistics.median(r.seen.per_second for r in rounds)
        figures = (
            f"{rates[target.name]:.0f}",
            f"{statistics.median(r.seen.percentile_ms(0.5) for r in rounds) - delay_ms:.2f}",
            f"{statistics.median(r.seen.percentile_ms(0.99) for r in rounds) - delay_ms:.2f}",
            f"{statistics.median(r.seen.percentile_ms(0.5, first_byte=True) for r in rounds) - delay_ms:.2f}",
            f"{statistics.median(r.cpu_us for r in rounds):.0f}",
            f"{target.rss_mb():.0f}",
            f"{target.startup_s:.2f}",
            f"{sum(r.seen.failures for r in rounds)}",
        )
        say(f"{target.name:14}" + "".join(f"{figure:>10}" for figure in figures) + "\n")
    say(f"gateway / pass-through: {rates['whole_gateway'] / rates['pass_through']:.2f}x of the requests per second\n")


def _body(*, stream: bool, words: int = 0) -> bytes:
    content = PROMPT + " and so on" * (words // 3)
    body = {"model": "auto", "messages": [{"role": "user", "content": content}], "temperature": 0.7}
    if stream:
        body["stream"] = True
    else:
        body["routing"] = {"policy": "balanced", "require": {"max_cost_usd": 0.5}}
    return json.dumps(body).encode()


@contextmanager
def _process(module: str, core: int, argument: str) -> Iterator[_Process]:
    port = _free_port()
    command = ["taskset", "-c", str(core), sys.executable, "-m", f"tests.benchmarks.{module}", str(port), argument]
    began = time.perf_counter()
    child = subprocess.Popen(command)
    try:
        _wait(port, child)
        yield _Process(name=module, pid=child.pid, port=port, startup_s=time.perf_counter() - began)
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(timeout=20)


def _wait(port: int, child: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if child.poll() is not None:
            raise SystemExit("a process of the benchmark ended before it began")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit("a process of the benchmark never listened")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
