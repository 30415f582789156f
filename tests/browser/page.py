"""A page in a Chromium that a test drives by the DevTools protocol: `--dump-dom` alone can press no keys."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from tests.waiting import AT_MOST_S

__all__ = ["QUIET", "Page", "chromium", "opened"]

QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
)


def chromium() -> str:
    """The browser of this machine; without one the test is skipped."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no Chromium here; Debian: apt-get install chromium")
    return found


class Page:
    """What the test does in the page, and what it sees there."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection, self._count = connection, 0

    def send(self, method: str, **params: Any) -> Any:
        """One command, and its result."""
        self._count += 1
        self._connection.send(json.dumps({"id": self._count, "method": method, "params": params}))
        while True:
            message = json.loads(self._connection.recv(timeout=AT_MOST_S))
            if message.get("id") == self._count:
                assert "error" not in message, message
                return message["result"]

    def evaluate(self, script: str) -> Any:
        """The value of an expression in the page."""
        result = self.send("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait_for(self, condition: str) -> None:
        """Until an expression is true in the page."""
        until = time.monotonic() + AT_MOST_S
        while not self.evaluate(f"Boolean({condition})"):
            assert time.monotonic() < until, condition
            time.sleep(0.05)

    def press_enter(self) -> None:
        """On what has the focus."""
        key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}
        self.send("Input.dispatchKeyEvent", type="keyDown", **key)
        self.send("Input.dispatchKeyEvent", type="keyUp", **key)


@contextmanager
def opened(url: str, profile: Path, *, width: int = 1280) -> Iterator[Page]:
    """A page of this width, in a browser of its own."""
    sandbox = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={profile}")
    command = [chromium(), "--headless", *sandbox, *QUIET, "--remote-debugging-port=0", "about:blank"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            with connect(_debugger(profile), max_size=None, open_timeout=AT_MOST_S) as connection:
                page = Page(connection)
                size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
                page.send("Emulation.setDeviceMetricsOverride", **size)
                page.send("Page.navigate", url=url)
                page.wait_for(f"location.href.startsWith({json.dumps(url)}) && document.readyState === 'complete'")
                yield page
        finally:
            process.terminate()


def _debugger(profile: Path) -> str:
    """The WebSocket of the first page, once the browser has written which port it got."""
    until = time.monotonic() + AT_MOST_S
    written = profile / "DevToolsActivePort"
    while not (written.exists() and written.read_text().count("\n") >= 1):
        assert time.monotonic() < until, "the browser has not said where it listens"
        time.sleep(0.05)
    port = written.read_text().partition("\n")[0]
    while True:
        targets = httpx.get(f"http://127.0.0.1:{port}/json", trust_env=False, timeout=AT_MOST_S).json()
        for target in targets:
            if target["type"] == "page":
                return str(target["webSocketDebuggerUrl"])
        time.sleep(0.05)
