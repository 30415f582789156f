"""A gateway as a user starts it, in a process of its own, with the real embedded model."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from gateway.upstreams.embedded import EmbeddedUnavailableError, find_weights
from tests.waiting import AT_MOST_S

# Nothing of the machine that runs the tests may join: no keys, no servers that happen to run here.
QUIET = {
    "PARETOGATE_DISCOVERY__ENVIRONMENT_KEYS": "false",
    "PARETOGATE_DISCOVERY__LOOPBACK": "false",
    "PARETOGATE_LEARNING__REFINE_EVERY_S": "0",
    "PARETOGATE_LEARNING__WATCH_S": "0.1",
    "PARETOGATE_LEARNING__EXPLORE": "0",
    "PARETOGATE_TELEMETRY__LOG_LEVEL": "info",
}


def environment(state: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PARETOGATE_")}
    return {**inherited, **QUIET, "PARETOGATE_STATE__DIR": str(state), **(more or {})}


# Root is refused no file; without its capabilities it is refused what its files' permissions do not allow.
AS_ANYBODY = ("setpriv", "--inh-caps=-all", "--bounding-set=-all") if os.geteuid() == 0 else ()


def paretogate(
    *arguments: str,
    state: Path,
    timeout_s: float = 2 * AT_MOST_S,
    more: Mapping[str, str] | None = None,
    through: Sequence[str] = (),
) -> subprocess.CompletedProcess[str]:
    """One command, run to its end; `through` is a command that runs it."""
    return subprocess.run(
        [*through, sys.executable, "-m", "gateway.cli", *arguments],
        env=environment(state, more),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


@dataclass
class Gateway:
    """A running gateway."""

    process: subprocess.Popen[str]
    url: str
    state: Path
    log: Path
    backends: list[dict[str, Any]] = field(default_factory=list)

    @property
    def client(self) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key="unused", max_retries=0, timeout=120)

    def post(self, path: str, body: object, **more: Any) -> httpx.Response:
        return httpx.post(f"{self.url}{path}", json=body, timeout=120, **more)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(timeout=AT_MOST_S)


def start(state: Path, *arguments: str, more: Mapping[str, str] | None = None) -> Gateway:
    log = state.parent / f"{state.name}.log"
    with log.open("a", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway.cli", "serve", "--json", "--port", "0", *arguments],
            env=environment(state, more),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    assert process.stdout is not None
    said = process.stdout.readline()
    assert said, log.read_text(encoding="utf-8")
    announced = json.loads(said)
    return Gateway(process, announced["url"], state, log, announced["backends"])


StartGateway = Callable[..., Gateway]


@pytest.fixture(scope="session")
def weights() -> Path:
    try:
        return find_weights()
    except EmbeddedUnavailableError as exc:
        pytest.skip(str(exc))


@pytest.fixture(scope="session")
def gateway(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """The one that most tests talk to: only the embedded model."""
    running = start(tmp_path_factory.mktemp("gateway") / "state")
    yield running
    running.stop()


@pytest.fixture
def start_gateway(weights: Path) -> Iterator[StartGateway]:
    """Starts further gateways, and stops what is left of them."""
    started: list[Gateway] = []

    def begin(state: Path, *arguments: str, more: Mapping[str, str] | None = None) -> Gateway:
        started.append(start(state, *arguments, more=more))
        return started[-1]

    yield begin
    for running in started:
        running.stop(signal.SIGKILL)


class Relay:
    """A backend of which the test decides how long it lets one wait: it hands requests on to a real model."""

    def __init__(self, target: str) -> None:
        self.delay_s = 0.0
        relay = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                threading.Event().wait(relay.delay_s)
                path = self.path.removeprefix("/v1")
                answer = httpx.post(f"{target}{path}", content=body, timeout=120)
                self.send_response(answer.status_code)
                self.send_header("content-type", answer.headers["content-type"])
                self.send_header("content-length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def relay_to() -> Iterator[Callable[[str], Relay]]:
    relays: list[Relay] = []

    def make(target: str) -> Relay:
        relays.append(Relay(target))
        return relays[-1]

    yield make
    for relay in relays:
        relay.close()
