import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from gateway.settings import InvalidSettingsError, TelemetrySettings
from gateway.tracing import open_tracing, opening
from tests.gateway.running import pair
from tests.gateway.small_servers import serving

AUTO = TelemetrySettings()


def test_without_an_endpoint_nothing_is_traced() -> None:
    assert open_tracing(AUTO, {}) is None


@pytest.mark.parametrize(
    ("settings", "environ"),
    [
        (TelemetrySettings(otlp="off"), {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}),
        (TelemetrySettings(otlp="on"), {"OTEL_SDK_DISABLED": "true"}),
    ],
)
def test_it_can_be_switched_off(settings: TelemetrySettings, environ: dict[str, str]) -> None:
    assert open_tracing(settings, environ) is None


def test_a_protocol_that_is_not_spoken_is_an_error_that_names_the_one_that_is() -> None:
    grpc = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    with pytest.raises(InvalidSettingsError, match=r"OTEL_EXPORTER_OTLP_PROTOCOL is 'grpc'; only http/protobuf"):
        open_tracing(TelemetrySettings(otlp="on"), grpc)
    assert open_tracing(AUTO, grpc) is None  # an application's own settings do not keep the gateway from starting


def test_a_missing_library_is_an_error_that_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "find_spec", lambda name: None)
    with pytest.raises(InvalidSettingsError, match=r"pip install 'paretogate\[telemetry\]'"):
        open_tracing(TelemetrySettings(otlp="on"), {})


@asynccontextmanager
async def collector() -> AsyncIterator[tuple[str, ExportTraceServiceRequest, ExportMetricsServiceRequest]]:
    """A receiver of OTLP over HTTP, on loopback."""
    traces, metrics = ExportTraceServiceRequest(), ExportMetricsServiceRequest()

    async def take_traces(request: web.Request) -> web.Response:
        traces.MergeFromString(await request.read())
        return web.Response()

    async def take_metrics(request: web.Request) -> web.Response:
        metrics.MergeFromString(await request.read())
        return web.Response()

    async with serving(web.post("/v1/traces", take_traces), web.post("/v1/metrics", take_metrics)) as url:
        yield url, traces, metrics


@pytest.mark.loopback
async def test_a_collector_hears_of_every_request_before_the_gateway_ends(tmp_path: Path) -> None:
    async with collector() as (url, traces, metrics):
        tracing = open_tracing(TelemetrySettings(otlp_endpoint=url), {})
        async with pair(tmp_path, tracing=tracing) as (gateway, _, __):
            await gateway.chat()
    (told,) = traces.resource_spans
    assert {(a.key, a.value.string_value) for a in told.resource.attributes} >= {("service.name", "paretogate")}
    names = [span.name for scope in told.scope_spans for span in scope.spans]
    assert sorted(names) == ["POST /v1/chat/completions", "chat maker/strong", "decide"]
    measured = [m.name for r in metrics.resource_metrics for s in r.scope_metrics for m in s.metrics]
    assert "gen_ai.client.token.usage" in measured


@pytest.mark.loopback
async def test_a_collector_that_is_away_neither_fails_requests_nor_holds_up_the_end(tmp_path: Path) -> None:
    tracing = open_tracing(TelemetrySettings(otlp_endpoint="http://127.0.0.1:9"), {})
    async with asyncio.timeout(60), pair(tmp_path, tracing=tracing) as (gateway, _, __):
        assert (await gateway.chat()).status_code == 200
