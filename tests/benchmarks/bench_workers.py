"""Whether a second worker adds what the first one gives.

    python -m tests.benchmarks.bench_workers [--seconds 4] [--rounds 4] [--connections 64]

With one worker, the gateway has one core and the mock upstream and the load another. With two, everything shares both
cores, since there are no more: what two workers could do at most is what both cores hold of requests, each taking the
CPU of gateway, journal, mock and load together. Beside it stands what they did, and the CPU that a request took: where
workers stood in each other's way, it would rise.
"""

import argparse
import os
import statistics
import sys
from collections.abc import Iterable
from pathlib import Path

import uvloop

from tests.benchmarks.bench_gateway import PATH, _bodies, _free_port, _Process, _process, _started, cpu_s, family
from tests.benchmarks.loopback import Measurement, drive


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--connections", type=int, default=64)
    args = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))[:2]
    say = sys.stdout.write
    say(f"{'workers':>7} {'req/s':>7} {'p99 ms':>7} {'gateway us':>11} {'journal us':>11} {'mock+load us':>13} ")
    say(f"{'cores at most':>14} {'share of it':>12} {'MB a worker':>12}\n")
    for workers in (1, 2):
        gateway_cores = cores[:workers]
        load_cores = cores[1:] if workers == 1 else cores
        os.sched_setaffinity(0, load_cores)
        with _process("loopback", load_cores[-1], "0") as mock:
            os.sched_setaffinity(mock.pid, load_cores)
            _measure(args, workers, mock, gateway_cores)


def _measure(args: argparse.Namespace, workers: int, mock: _Process, gateway_cores: list[int]) -> None:
    port = _free_port()
    command = [sys.executable, "-m", "tests.benchmarks.whole_gateway", str(port), str(mock.port), str(workers)]
    with _started("gateway", command, ",".join(map(str, gateway_cores)), port) as gateway:
        _drive(args, gateway.port, seconds=3.0)  # warm, and long enough for the second worker to come
        rounds = [_round(args, gateway, mock) for _ in range(args.rounds)]
        rate, p99, ours, journal, rest = (statistics.median(column) for column in zip(*rounds, strict=True))
        most = 1e6 / (ours + journal) if workers == 1 else 2e6 / (ours + journal + rest)
        told = f"{workers:>7} {rate:7.0f} {p99:7.1f} {ours:11.0f} {journal:11.0f} {rest:13.0f} {most:14.0f} "
        workers_mb = [_rss_mb(pid) for pid in family(gateway.pid) if _is_worker(pid)]
        sys.stdout.write(told + f"{rate / most:12.2f} {max(workers_mb):12.0f}\n")


def _round(args: argparse.Namespace, gateway: _Process, mock: _Process) -> tuple[float, ...]:
    pids = family(gateway.pid)
    ours, journal = ([pid for pid in pids if _is_journal(pid) is kind] for kind in (False, True))
    before = _cpu_s(ours), _cpu_s(journal), _cpu_s([mock.pid, os.getpid()])
    seen = _drive(args, gateway.port, seconds=args.seconds)
    after = _cpu_s(ours), _cpu_s(journal), _cpu_s([mock.pid, os.getpid()])
    if seen.failures:
        raise SystemExit(f"{seen.failures} requests failed")
    costs = [1e6 * (b - a) / len(seen.latencies_s) for a, b in zip(before, after, strict=True)]
    return (seen.per_second, seen.percentile_ms(0.99), *costs)


def _drive(args: argparse.Namespace, port: int, *, seconds: float) -> Measurement:
    return uvloop.run(drive(port, PATH, _bodies(stream=False), connections=args.connections, seconds=seconds))


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


def _is_journal(pid: int) -> bool:
    return "gateway.journal_store" in _command(pid)


def _is_worker(pid: int) -> bool:
    return not _is_journal(pid) and "resource_tracker" not in _command(pid)


def _cpu_s(pids: Iterable[int]) -> float:
    return sum(cpu_s(pid) for pid in pids)


def _rss_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main()
