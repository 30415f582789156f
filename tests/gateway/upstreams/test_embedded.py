import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.upstreams.embedded import EmbeddedModel, EmbeddedUnavailableError, check_llama_cpp, find_weights
from tests.waiting import AT_MOST_S, wait_until

PROFILE = "HuggingFaceTB/SmolLM2-135M-Instruct"

pytestmark = [pytest.mark.loopback, pytest.mark.local_model]


@pytest.fixture(scope="module")
def weights() -> Path:
    try:
        return find_weights()
    except EmbeddedUnavailableError as exc:
        pytest.skip(str(exc))


@pytest.fixture(scope="module")
def model(weights: Path) -> Iterator[EmbeddedModel]:
    with EmbeddedModel(weights, profile_id=PROFILE, context_tokens=512) as running:
        running.wait(timeout_s=120)
        yield running


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/models", timeout=30).status_code == 200
    except httpx.HTTPError:
        return False


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").split()[2] == "Z"


def test_it_answers_a_chat_without_any_key(model: EmbeddedModel) -> None:
    backend = model.wait()
    assert (backend.kind, backend.privacy, backend.tier) == ("embedded", "local", "device")
    assert backend.quantization == "q4_1"
    assert backend.price is not None
    assert backend.price.input_usd_per_mtok == backend.price.output_usd_per_mtok == 0
    body = {"model": backend.model_name, "messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8}
    answer = httpx.post(f"{backend.base_url}/chat/completions", json=body, timeout=120).json()
    assert answer["choices"][0]["message"]["content"].strip()
    assert answer["usage"]["completion_tokens"] <= 8


def test_it_shows_its_load(model: EmbeddedModel) -> None:
    url = str(model.wait().base_url).removesuffix("/v1")
    assert "llamacpp:requests_processing" in httpx.get(f"{url}/metrics", timeout=AT_MOST_S).text


def test_it_is_started_again_on_the_same_port_when_it_dies(weights: Path) -> None:
    with EmbeddedModel(weights, profile_id=PROFILE, context_tokens=256, slots=1) as running:
        backend = running.wait(timeout_s=120)
        os.kill(running.pid, signal.SIGKILL)
        wait_until(lambda: answers(str(backend.base_url)))


def test_it_ends_with_whoever_started_it_even_by_kill_minus_nine(weights: Path) -> None:
    program = (
        "import json, sys, time; from pathlib import Path; from gateway.upstreams.embedded import EmbeddedModel\n"
        f"model = EmbeddedModel(Path({str(weights)!r}), profile_id={PROFILE!r}, context_tokens=256, slots=1)\n"
        "print(json.dumps({'pid': model.pid, 'url': model.wait(timeout_s=120).base_url}), flush=True)\n"
        "time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    said = json.loads(parent.stdout.readline())
    parent.kill()
    parent.wait()
    wait_until(lambda: gone(said["pid"]))


def test_a_file_that_is_no_model_is_a_clear_error(weights: Path, tmp_path: Path) -> None:
    nonsense = tmp_path / "nonsense.gguf"
    nonsense.write_bytes(b"not a model")
    with (
        EmbeddedModel(nonsense, profile_id=PROFILE) as running,
        pytest.raises(EmbeddedUnavailableError, match=r"nonsense\.gguf"),
    ):
        running.wait(timeout_s=60)


@pytest.mark.skipif(sys.platform != "linux", reason="libraries are found otherwise elsewhere")
def test_a_library_of_the_machine_that_is_missing_is_named_with_its_package(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "libgomp.so.1").touch()  # as good as missing, and found before the machine's own
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    told = pytest.raises(EmbeddedUnavailableError, match=r"libgomp\.so\.1: .*libgomp1")
    with EmbeddedModel(weights, profile_id=PROFILE) as running, told:
        running.wait(timeout_s=60)
    with told:
        check_llama_cpp()
