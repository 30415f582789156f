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
