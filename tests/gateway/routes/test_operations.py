from pathlib import Path

import pytest

from gateway.upstreams.fake import Misbehaviour
from tests.gateway.running import pair

pytestmark = pytest.mark.loopback


@pytest.mark.parametrize("path", ["/health", "/health/liveliness", "/health/liveness", "/healthz"])
async def test_it_is_alive_and_asks_no_model(tmp_path: Path, path: str) -> None:
    async with pair(tmp_path) as (gateway, strong, _):
        assert (await gateway.client.get(path)).json() == {"status": "alive"}
        assert strong.requests == []


@pytest.mark.parametrize("path", ["/health", "/health/readiness", "/metrics", "/v1/models", "/dashboard"])
async def test_whoever_asks_for_the_head_alone_gets_that(tmp_path: Path, path: str) -> None:
    async with pair(tmp_path) as (gateway, _, __):
        whole, head = await gateway.client.get(path), await gateway.client.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-type"] == whole.headers["content-type"]
        assert (await gateway.client.get(path)).content  # the connection goes on


async def test_a_method_that_is_not_taken_hears_which_are(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, _, __):
        refused = await gateway.client.post("/health")
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET")


async def test_it_is_ready_while_somebody_can_answer(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, strong, cheap):
        assert (await gateway.client.get("/readyz")).json()["available"] == 2
        for provider in (strong, cheap):
            provider.misbehave(Misbehaviour(fault="status", status=429, retry_after="60"))
        await gateway.chat()
        unready = await gateway.client.get("/health/readiness")
    assert (unready.status_code, unready.json()["available"]) == (503, 0)


async def test_metrics_count_what_happened(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, _, __):
        await gateway.chat()
        await gateway.chat(messages=[])
        shown = (await gateway.client.get("/metrics")).text
    assert 'paretogate_requests_total{door="chat",outcome="ok"} 1.0' in shown
    assert 'paretogate_requests_total{door="chat",outcome="invalid_request"} 1.0' in shown
    assert 'paretogate_selections_total{model="maker/strong",policy="balanced"} 1.0' in shown
    assert 'paretogate_tokens_total{model="maker/strong",type="input"} 10.0' in shown
    assert "paretogate_overhead_seconds_bucket" in shown


async def test_metrics_can_be_switched_off(tmp_path: Path) -> None:
    async with pair(tmp_path, settings={"telemetry": {"metrics": False}}) as (gateway, _, __):
        assert (await gateway.client.get("/metrics")).status_code == 404


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/chat/completions", "/v1/chat/completions"),
        ("/v1/v1/messages", "/v1/messages"),
        ("/v1/v1/messages/count_tokens", "/v1/messages/count_tokens"),
        ("//v1/chat/completions", "/v1/chat/completions"),
        ("/v1/responses/", "/v1/responses"),
        ("/api/v1/embeddings", "/v1/embeddings"),
        ("/completions", "/v1/completions"),
    ],
)
async def test_a_base_url_that_is_off_is_told_where_the_door_is(tmp_path: Path, path: str, meant: str) -> None:
    async with pair(tmp_path) as (gateway, _, __):
        refused = await gateway.client.post(f"{gateway.url}{path}", json={})
        strange = await gateway.client.post("/v1/threads", json={})
    assert refused.status_code == strange.status_code == 404
    assert f"; {meant} is here: a base URL ends with /v1" in refused.json()["error"]["message"]
    assert "base URL" not in strange.text


async def test_a_method_that_messages_do_not_take_is_the_clients_fault_in_anthropics_words(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, _, __):
        refused = await gateway.client.get("/v1/messages")
    assert (refused.status_code, refused.json()["error"]["type"]) == (405, "invalid_request_error")
