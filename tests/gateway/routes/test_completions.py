"""The legacy door over real sockets: to a server that speaks it, and to one that only chats."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.upstreams.fake import FakeProvider
from tests.gateway.running import backend, pair, running

pytestmark = pytest.mark.loopback

COMPLETIONS = "/v1/completions"


async def test_a_server_that_only_chats_is_asked_as_one(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, strong, _):
        answer = await gateway.client.post(COMPLETIONS, json={"model": "auto:best", "prompt": "Once"})
    assert answer.json()["choices"][0]["text"] == "strong words"
    assert answer.json()["object"] == "text_completion"
    assert strong.requests[0]["messages"] == [{"role": "user", "content": "Once"}]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_server_that_continues_prompts_gets_the_clients_own_bytes(tmp_path: Path, stream: bool) -> None:
    flag = b"true" if stream else b"false"
    raw = b'{"model": "strong", "prompt": ["Once", "Twice"], "echo": true, "stream": ' + flag + b"}"
    async with FakeProvider(words=("upon", " a", " time")) as provider:
        server = replace(backend("strong", provider.url), kind="vllm")
        async with running(server, tmp_path=tmp_path) as gateway:
            answer = await gateway.client.post(COMPLETIONS, content=raw)
    assert provider.requests[0]["prompt"] == ["Once", "Twice"]
    if stream:
        assert answer.text.count('"text"') == 5  # the beginning, three words, the end
        assert answer.text.endswith("data: [DONE]\n\n")
    else:
        assert provider.raw_requests == [raw.replace(b'"strong"', b'"strong-raw"')]
        assert answer.json()["choices"][0]["text"] == "upon a time"
        assert answer.json()["model"] == "maker/strong"


@pytest.mark.parametrize("asked", [{"prompt": [1, 2, 3]}, {"echo": True}, {"suffix": "end", "stream": True}])
async def test_what_only_a_server_that_continues_prompts_can_do_is_asked_of_one(
    tmp_path: Path, asked: dict[str, Any]
) -> None:
    """A better model that only chats was chosen, and the client refused."""
    async with FakeProvider(words=("chat",)) as chats, FakeProvider(words=("upon",)) as continues:
        servers = (backend("strong", chats.url), replace(backend("cheap", continues.url), kind="vllm"))
        async with running(*servers, tmp_path=tmp_path) as gateway:
            body = {"model": "auto:best", "prompt": "Once"}
            answer = await gateway.client.post(COMPLETIONS, json={**body, **asked})
            plain = await gateway.client.post(COMPLETIONS, json=body)
    assert (answer.status_code, answer.headers["x-paretogate-model"]) == (200, "maker/cheap")
    assert len(continues.requests) == 1
    assert plain.json()["choices"][0]["text"] == "chat"


async def test_what_the_chosen_server_cannot_do_is_refused_and_accounted_for(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, strong, _):
        body = {"model": "auto:best", "prompt": ["Once", "Twice"]}
        answer = await gateway.client.post(COMPLETIONS, json=body)
        metrics = (await gateway.client.get("/metrics")).text
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "prompt")
    assert strong.requests == []
    assert gateway.journal.of("outcome")[0]["status"] == "rejected"
    assert 'paretogate_backend_inflight{backend="strong"} 0.0' in metrics


async def test_a_decision_alone_asks_nobody(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, _, __):
        answer = await gateway.client.post(f"/routing{COMPLETIONS}", json={"model": "auto:best", "prompt": "Once"})
    assert answer.json()["models"] == ["maker/strong", "maker/cheap"]
