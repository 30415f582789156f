"""Adapters that a vLLM server loads and unloads while a gateway stands before it."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest

from tests.end_to_end.conftest import Gateway, StartGateway
from tests.waiting import AT_MOST_S, wait_until

pytestmark = pytest.mark.loopback

BASE = "huggingfacetb/smollm2-135m-instruct"


class FakeVllm:
    """Lists a base model and whatever adapters it is told to have, and answers in the name it is asked by."""

    def __init__(self) -> None:
        self.adapters: tuple[str, ...] | None = None  # None: not ready to say
        self.n_listed = 0
        self.asked: list[tuple[str, str | None]] = []  # model, authorization
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path != "/v1/models" or fake.adapters is None:
                    fake.n_listed += self.path == "/v1/models"
                    self.answer(503, {})
                    return
                found = [{"id": "base", "parent": None}, *({"id": a, "parent": "base"} for a in fake.adapters)]
                self.answer(200, {"data": [{"object": "model", "owned_by": "vllm", **one} for one in found]})
                fake.n_listed += 1

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                fake.asked.append((body["model"], self.headers["authorization"]))
                message = {"role": "assistant", "content": "Yes."}
                choice = {"index": 0, "message": message, "finish_reason": "stop"}
                self.answer(200, {"id": "x", "object": "chat.completion", "model": body["model"], "choices": [choice]})

            def answer(self, status: int, value: object) -> None:
                content = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                """Nobody reads it."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1"
        Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def vllm() -> Iterator[FakeVllm]:
    fake = FakeVllm()
    yield fake
    fake.server.shutdown()
    fake.server.server_close()


def adapters(gateway: Gateway) -> set[str]:
    listed = httpx.get(f"{gateway.url}/v1/models", timeout=AT_MOST_S).json()["data"]
    return {model["id"] for model in listed if model["id"].startswith("adapter/")}


def test_adapters_join_and_leave_while_a_gateway_serves(
    vllm: FakeVllm, start_gateway: StartGateway, tmp_path: Path
) -> None:
    backend = {"id": "gpu", "profile": BASE, "kind": "vllm", "model": "base", "base_url": vllm.url}
    own = {"id": "gpu:two", "profile": BASE, "kind": "vllm", "model": "two", "base_url": vllm.url}
    gateway = start_gateway(
        tmp_path / "state",
        more={
            "PARETOGATE_BACKENDS": json.dumps([{**backend, "api_key_env": "GPU_KEY"}, own]),
            "GPU_KEY": "sk-gpu",
            "PARETOGATE_EMBEDDED__ENABLED": "off",
            "PARETOGATE_DISCOVERY__ADAPTERS_EVERY_S": "0.1",
        },
    )
    assert adapters(gateway) == set()  # the server was not ready
    vllm.adapters = ("accent", "sql")
    wait_until(lambda: adapters(gateway) == {"adapter/accent", "adapter/sql"})
    ask = {"model": "adapter/accent", "messages": [{"role": "user", "content": "Hello?"}]}
    told = gateway.post("/v1/chat/completions", ask).json()
    assert told["model"] == "adapter/accent"
    assert vllm.asked == [("accent", "Bearer sk-gpu")]

    vllm.adapters, before = None, vllm.n_listed
    wait_until(lambda: vllm.n_listed >= before + 3)
    assert adapters(gateway) == {"adapter/accent", "adapter/sql"}  # a server that cannot say keeps what it had

    vllm.adapters = ("sql",)
    wait_until(lambda: adapters(gateway) == {"adapter/sql"})
    refused = gateway.post("/v1/chat/completions", ask)
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "unknown_model")
    answered = gateway.post("/v1/chat/completions", {**ask, "model": "gpu:two"})
    assert answered.status_code == 200  # a backend of the operator's own is no adapter, whatever its name
