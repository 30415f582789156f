"""What one upstream call costs by HTTP client: why the hot path has one of its own and everything else speaks httpx.

    python -m tests.benchmarks.bench_transport [--calls 500] [--rounds 5]

The clients take turns against the same mock on loopback, on uvloop, thirty-two calls at once over kept connections.
"""

import argparse
import asyncio
import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable

import aiohttp
import httpx
import uvloop

from gateway.upstreams.http1 import Http1Client, Target

BODY = json.dumps({"model": "mock", "messages": [{"role": "user", "content": "Name three primary colours."}]}).encode()
HEADERS = {"content-type": "application/json"}
_AT_ONCE = 32


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1600, help="per client and round")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    mock = subprocess.Popen([sys.executable, "-m", "tests.benchmarks.loopback", str(port), "0"])
    try:
        uvloop.run(_compare(f"http://127.0.0.1:{port}/v1/chat/completions", args.calls, args.rounds))
    finally:
        mock.terminate()
        mock.wait(timeout=20)


async def _compare(url: str, calls: int, rounds: int) -> None:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session, httpx.AsyncClient() as client:

        async def by_aiohttp() -> bytes:
            async with session.post(url, data=BODY, headers=HEADERS) as response:
                return await response.read()

        own, target = Http1Client(), Target.of(url, HEADERS)

        async def by_our_own() -> bytes:
            until = asyncio.get_running_loop().time() + 60.0
            response = await own.post(target, b"", BODY, until=until)
            return await response.read(until=until, limit_bytes=1 << 20) or b""

        async def by_httpx() -> bytes:
            return (await client.post(url, content=BODY, headers=HEADERS)).content

        await _listening(by_aiohttp)
        clients = {"our own": by_our_own, "aiohttp": by_aiohttp, "httpx": by_httpx}
        spent: dict[str, list[float]] = {name: [] for name in clients}
        for _ in range(rounds):
            for name, call in clients.items():
                spent[name].append(await _cpu_us(call, calls))
        await own.close()
    middle = {name: statistics.median(figures) for name, figures in spent.items()}
    for name, figure in middle.items():
        sys.stdout.write(f"{name:8} {figure:7.0f} us CPU a call {figure / middle['our own']:6.2f}x\n")


async def _cpu_us(call: Callable[[], Awaitable[bytes]], calls: int) -> float:
    async def some() -> None:
        for _ in range(calls // _AT_ONCE):
            await call()

    began = time.process_time()
    await asyncio.gather(*(some() for _ in range(_AT_ONCE)))
    return 1e6 * (time.process_time() - began) / (calls // _AT_ONCE * _AT_ONCE)


async def _listening(call: Callable[[], Awaitable[bytes]]) -> None:
    for _ in range(200):
        try:
            await call()
        except aiohttp.ClientConnectorError:
            await asyncio.sleep(0.05)
        else:
            return
    raise SystemExit("the mock never listened")


if __name__ == "__main__":
    main()
