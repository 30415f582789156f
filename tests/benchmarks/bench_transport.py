"""What one upstream call costs by HTTP client: why the hot path speaks aiohttp and everything else httpx.

    python -m tests.benchmarks.bench_transport [--calls 500] [--rounds 5]

The clients take turns against the same mock on loopback, one call after the other over one kept connection.
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

BODY = json.dumps({"model": "mock", "messages": [{"role": "user", "content": "Name three primary colours."}]}).encode()
HEADERS = {"content-type": "application/json"}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=500, help="per client and round")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    mock = subprocess.Popen([sys.executable, "-m", "tests.benchmarks.loopback", str(port), "0"])
    try:
        asyncio.run(_compare(f"http://127.0.0.1:{port}/v1/chat/completions", args.calls, args.rounds))
    finally:
        mock.terminate()
        mock.wait(timeout=20)


async def _compare(url: str, calls: int, rounds: int) -> None:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session, httpx.AsyncClient() as client:

        async def by_aiohttp() -> bytes:
            async with session.post(url, data=BODY, headers=HEADERS) as response:
                return await response.read()

        async def by_httpx() -> bytes:
            return (await client.post(url, content=BODY, headers=HEADERS)).content

        await _listening(by_aiohttp)
        spent: dict[str, list[float]] = {"aiohttp": [], "httpx": []}
        for _ in range(rounds):
            spent["aiohttp"].append(await _cpu_us(by_aiohttp, calls))
            spent["httpx"].append(await _cpu_us(by_httpx, calls))
    middle = {name: statistics.median(figures) for name, figures in spent.items()}
    for name, figure in middle.items():
        sys.stdout.write(f"{name:8} {figure:7.0f} us CPU a call {figure / middle['aiohttp']:6.2f}x\n")


async def _cpu_us(call: Callable[[], Awaitable[bytes]], calls: int) -> float:
    began = time.process_time()
    for _ in range(calls):
        await call()
    return 1e6 * (time.process_time() - began) / calls


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
