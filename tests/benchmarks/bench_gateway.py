"""What the gateway adds to a call, with learned routing, constraints and the journal on.

    python -m tests.benchmarks.bench_gateway [--seconds 3] [--rounds 5] [--connections 64]
                                             [--litellm-python PATH] [--only WORDS] [--soak 200000]

A mock upstream and the load share one core; a bare Starlette + aiohttp pass-through, the gateway and, where an
interpreter with `litellm[proxy]` is named, LiteLLM's proxy take turns on another, in one interleaved run, so that a
noisy machine disturbs all alike. Ratios are what to read. Before an upstream of 100 ms the load asks the upstream
itself, too, and what is printed of the others is what they add to that; gateways take part that rehearse nothing
(`server.rehearse_ms`) and that do not sleep between requests (`server.idle_poll_ms`). `--only` runs the kinds of load
whose title has these words. `--soak` only watches the gateway's memory over so many requests.
"""

import argparse
import contextlib
import json
import os
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import uvloop

from tests.benchmarks.loopback import Measurement, drive

PATH = "/v1/chat/completions"
PROMPT = "Write a function that returns the n-th prime number, and explain why it is correct."
N_PROMPTS = 256
_DIRECT = "direct"
_SLOW_S = 10.0  # eight connections ask eighty times a second: in less time, p99 is of a handful
_SPREAD_S = 0.1  # over which connections come to a slow upstream: as long as it takes
_WAYS = {  # of being awake when a request comes: name -> server.rehearse_ms, server.idle_poll_ms
    "... unrehearsed": (0, 0),
    "... awake": (3, 150),  # longer than the slow upstream takes
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="per target and round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--litellm-python", type=Path, help="an interpreter with litellm[proxy] installed")
    parser.add_argument("--only", default="", metavar="WORDS", help="kinds of load whose title has them")
    parser.add_argument("--soak", type=int, metavar="REQUESTS", help="watch the memory over so many requests instead")
    args = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    front, back = cores[0], cores[-1]
    os.sched_setaffinity(0, {back})
    with _process("loopback", back, "0") as mock, _process("loopback", back, "0.1") as slow:
        if args.soak:
            with _process("whole_gateway", front, str(mock.port)) as ours:
                _soak(ours, args.soak, connections=args.connections)
            return
        if args.litellm_python is None:
            sys.stdout.write("LiteLLM's proxy is left out: --litellm-python names no interpreter that has it\n")
        for title, upstream, bodies, connections in (
            ("whole answers", mock, _bodies(stream=False), args.connections),
            ("streams of 22 events", mock, _bodies(stream=True), args.connections),
            ("4,000-token prompts", mock, _bodies(stream=False, words=3000), args.connections),
            ("streams, 4,000-token prompts", mock, _bodies(stream=True, words=3000), args.connections),
            ("upstream of 100 ms, 8 connections", slow, _bodies(stream=False), 8),
            ("streams, upstream of 100 ms, 8 connections", slow, _bodies(stream=True), 8),
        ):
            if args.only not in title:
                continue
            with ExitStack() as stack:
                targets = [
                    stack.enter_context(_process(name, front, str(upstream.port)))
                    for name in ("pass_through", "whole_gateway")
                ]
                seconds, spread_s = args.seconds, 0.0
                if upstream is slow:
                    seconds, spread_s = max(seconds, _SLOW_S), _SPREAD_S
                    targets.insert(0, replace(slow, name=_DIRECT))
                    for name, ways in _WAYS.items():
                        arguments = (str(upstream.port), "1", *map(str, ways))
                        targets.append(stack.enter_context(_process("whole_gateway", front, *arguments, name=name)))
                if args.litellm_python is not None:
                    targets.append(stack.enter_context(_litellm(args.litellm_python, front, upstream.port)))
                load = partial(drive, path=PATH, connections=connections, spread_s=spread_s)
                results = uvloop.run(_rounds(targets, bodies, load, rounds=args.rounds, seconds=seconds))
                _report(title, targets, results)


def _soak(target: "_Process", requests: int, *, connections: int) -> None:
    """Resident memory after every tenth of the requests."""
    done, step, bodies = 0, max(1, requests // 10), _bodies(stream=False)
    due, held = step, {}
    while done < requests:
        seen = uvloop.run(drive(target.port, PATH, bodies, connections=connections, seconds=2.0))
        done += len(seen.latencies_s)
        if done >= due:
            held[done] = target.rss_mb()
            sys.stdout.write(f"{done:>9,} requests  {held[done]:6.1f} MB\n")
            sys.stdout.flush()
            due += step
    first, *_, last = held.values()
    sys.stdout.write(f"growth from the first tenth on: {100 * (last / first - 1):+.1f} %\n")


def family(pid: int) -> list[int]:
    """A process and all that came from it."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    return [pid, *(below for child in children for below in family(child))]


def cpu_s(pid: int) -> float:
    """What a process has used of a core."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass
class _Process:
    name: str
    pid: int
    port: int
    startup_s: float

    def cpu_s(self) -> float:
        """Its own, and that of the processes it started, such as the journal's."""
        return sum(cpu_s(pid) for pid in family(self.pid))

    def rss_mb(self) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@dataclass
class _Round:
    seen: Measurement
    cpu_us: float  # per request


async def _rounds(
    targets: Sequence[_Process],
    bodies: Sequence[bytes],
    load: Callable[..., Awaitable[Measurement]],
    *,
    rounds: int,
    seconds: float,
) -> dict[str, list[_Round]]:
    found: dict[str, list[_Round]] = {target.name: [] for target in targets}
    for target in targets:
        await load(target.port, bodies=_for(target, bodies), seconds=1.0)  # warm
    for _ in range(rounds):
        for target in targets:
            before = target.cpu_s()
            seen = await load(target.port, bodies=_for(target, bodies), seconds=seconds)
            spent = target.cpu_s() - before
            found[target.name].append(_Round(seen=seen, cpu_us=1e6 * spent / max(1, len(seen.latencies_s))))
    return found


def _for(target: _Process, bodies: Sequence[bytes]) -> Sequence[bytes]:
    """The same requests without our own key, which LiteLLM would pass on as a wrong parameter."""
    if target.name != "litellm":
        return bodies
    foreign = [{key: value for key, value in json.loads(body).items() if key != "routing"} for body in bodies]
    return [json.dumps(body).encode() for body in foreign]


def _report(title: str, targets: Sequence[_Process], results: dict[str, list[_Round]]) -> None:
    say = sys.stdout.write
    say(f"\n{title}" + (": added to what a direct call takes\n" if _DIRECT in results else "\n"))
    columns = ("req/s", "p50 ms", "p99 ms", "1st byte", "CPU us", "RSS MB", "start s", "failed")
    say(" " * 16 + "".join(f"{column:>10}" for column in columns) + "\n")
    rates = {}
    direct = _latencies_ms(results[_DIRECT]) if _DIRECT in results else (0.0, 0.0, 0.0)
    for target in targets:
        rounds = results[target.name]
        taken = _latencies_ms(rounds)
        p50, p99, first = (a - b for a, b in zip(taken, direct, strict=True)) if target.name != _DIRECT else taken
        rates[target.name] = statistics.median(r.seen.per_second for r in rounds)
        figures = (
            f"{rates[target.name]:.0f}",
            f"{p50:.2f}",
            f"{p99:.2f}",
            f"{first:.2f}",
            f"{statistics.median(r.cpu_us for r in rounds):.0f}",
            f"{target.rss_mb():.0f}",
            f"{target.startup_s:.2f}",
            f"{sum(r.seen.failures for r in rounds)}",
        )
        say(f"{target.name:16}" + "".join(f"{figure:>10}" for figure in figures) + "\n")
    if _DIRECT in results:
        return  # who waits for a slow upstream answers as often as anybody
    for other in rates.keys() - {"whole_gateway"}:
        say(f"gateway / {other}: {rates['whole_gateway'] / rates[other]:.2f}x of the requests per second\n")


def _latencies_ms(rounds: Sequence[_Round]) -> tuple[float, float, float]:
    """p50, p99 and the first byte's p50: of every round, then the median round's."""
    shares = ((0.5, False), (0.99, False), (0.5, True))
    p50, p99, first = (
        statistics.median(r.seen.percentile_ms(share, first_byte=first) for r in rounds) for share, first in shares
    )
    return p50, p99, first


def _bodies(*, stream: bool, words: int = 0) -> list[bytes]:
    """Different prompts of about the same length, so that nothing kept of one helps with the next."""
    return [_body(_varied(max(words, 6), seed=k), stream=stream) for k in range(N_PROMPTS)]


def _body(words: Sequence[str], *, stream: bool) -> bytes:
    content = " ".join([PROMPT, *words])
    body = {"model": "auto", "messages": [{"role": "user", "content": content}], "temperature": 0.7}
    if stream:
        body["stream"] = True
    else:
        body["routing"] = {"policy": "balanced", "require": {"max_cost_usd": 0.5}}
    return json.dumps(body).encode()


def _varied(words: int, *, seed: int) -> list[str]:
    """Words of the documentation, drawn at random: a text that repeats itself would be read faster than prompts are."""
    return random.Random(seed).choices(_known_words(), k=words)


@cache
def _known_words() -> list[str]:
    texts = [Path("README.md"), *sorted(Path("docs").glob("*.md"))]
    return sorted(
        {word for text in texts for word in re.findall(r"[A-Za-z]+[,.;:]?", text.read_text(encoding="utf-8"))}
    )


@contextmanager
def _process(module: str, core: int, *arguments: str, name: str | None = None) -> Iterator[_Process]:
    port = _free_port()
    command = [sys.executable, "-m", f"tests.benchmarks.{module}", str(port), *arguments]
    with _started(name or module, command, core, port) as it:
        yield it


@contextmanager
def _litellm(python: Path, core: int, upstream: int) -> Iterator[_Process]:
    """LiteLLM's proxy with one worker and one model, as its documentation starts it."""
    port = _free_port()
    url = f"http://127.0.0.1:{upstream}/v1"
    model = {"model_name": "auto", "litellm_params": {"model": "openai/mock", "api_base": url, "api_key": "none"}}
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        config.write_text(json.dumps({"model_list": [model]}), encoding="utf-8")  # JSON is YAML
        command = [str(python.parent / "litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
        environ = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
        environ["LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY"] = "true"  # nobody has a key here
        with _started("litellm", command, core, port, environ=environ, stdout=subprocess.DEVNULL) as it:
            yield it


@contextmanager
def _started(
    name: str,
    command: list[str],
    cores: int | str,
    port: int,
    *,
    environ: dict[str, str] | None = None,
    stdout: int | None = None,
) -> Iterator[_Process]:
    began = time.perf_counter()
    child = subprocess.Popen(["taskset", "-c", str(cores), *command], env=environ, stdout=stdout)
    try:
        _wait(port, child)
        yield _Process(name=name, pid=child.pid, port=port, startup_s=time.perf_counter() - began)
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(timeout=20)


def _wait(port: int, child: subprocess.Popen[bytes]) -> None:
    """Until it answers anything: some listen before they can."""
    for _ in range(2400):  # LiteLLM takes half a minute to start
        if child.poll() is not None:
            raise SystemExit("a process of the benchmark ended before it began")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=60) as probe:
            probe.sendall(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            if probe.recv(1):
                return
        time.sleep(0.05)
    raise SystemExit("a process of the benchmark never answered")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
