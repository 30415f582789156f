from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode

from gateway.tracing.spans import OtlpTracing
from gateway.upstreams.fake import FakeProvider, Misbehaviour
from tests.gateway.running import HI, RunningGateway, pair

pytestmark = pytest.mark.loopback

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNWELL = Misbehaviour(fault="status", status=503)


class Heard:
    """What a collector would have been told."""

    def __init__(self, **more: Any) -> None:
        self._spans, self._reader = InMemorySpanExporter(), InMemoryMetricReader()
        provider = TracerProvider(shutdown_on_exit=False, **more)
        provider.add_span_processor(SimpleSpanProcessor(self._spans))
        metrics = MeterProvider([self._reader], shutdown_on_exit=False)
        self.tracing = OtlpTracing(traces=provider, metrics=metrics)

    def spans(self) -> dict[str, ReadableSpan]:
        return {span.name: span for span in self._spans.get_finished_spans()}

    def points(self) -> dict[str, list[Any]]:
        data = self._reader.get_metrics_data()
        metrics = [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics] if data else []
        return {metric.name: list(metric.data.data_points) for metric in metrics}


@asynccontextmanager
async def traced(tmp_path: Path) -> AsyncIterator[tuple[RunningGateway, FakeProvider, FakeProvider, Heard]]:
    heard = Heard()
    async with pair(tmp_path, tracing=heard.tracing) as (gateway, strong, cheap):
        yield gateway, strong, cheap, heard
        assert heard.spans() is not None


def about(span: ReadableSpan) -> Mapping[str, Any]:
    return span.attributes or {}


async def test_a_request_is_a_span_with_its_decision_and_the_backends_attempt_below_it(tmp_path: Path) -> None:
    async with traced(tmp_path) as (gateway, _, __, heard):
        answered = await gateway.chat(routing={"session_id": "s-1", "policy": "best"})
    spans = heard.spans()
    request, decide, attempt = spans["POST /v1/chat/completions"], spans["decide"], spans["chat maker/strong"]
    assert (request.kind, attempt.kind) == (SpanKind.SERVER, SpanKind.CLIENT)
    assert decide.parent.span_id == attempt.parent.span_id == request.context.span_id
    assert about(request)["gen_ai.operation.name"] == "chat"
    assert about(request)["gen_ai.original.model"] == "auto"
    assert about(request)["gen_ai.request.model"] == "maker/strong"
    assert about(request)["gen_ai.conversation.id"] == "s-1"
    assert about(decide)["paretogate.decision.id"] == answered.headers["x-paretogate-decision-id"]
    assert about(decide)["paretogate.decision.propensity"] == 1.0
    assert about(decide)["paretogate.decision.chosen"] == "maker/strong"
    assert about(decide)["paretogate.decision.policy"] == "best"
    assert about(attempt)["gen_ai.provider.name"] == "maker"
    assert about(attempt)["gen_ai.response.model"] == "strong-raw"
    assert about(attempt)["gen_ai.response.finish_reasons"] == ("stop",)
    assert about(attempt)["gen_ai.usage.input_tokens"] == 10
    assert about(attempt)["gen_ai.usage.output_tokens"] == 2
    assert about(attempt)["gen_ai.usage.cache_read.input_tokens"] == 4
    assert about(attempt)["gen_ai.usage.cache_creation.input_tokens"] == 0
    # 6 fresh tokens at $10, 4 cached ones at $5 and 2 written ones at $20, per million
    assert about(request)["paretogate.cost_usd"] == pytest.approx(0.00012)


async def test_a_trace_goes_on_from_the_client_through_us_to_the_backend(tmp_path: Path) -> None:
    async with traced(tmp_path) as (gateway, strong, _, heard):
        sent = {"traceparent": PARENT, "tracestate": "vendor=1"}
        await gateway.client.post("/v1/chat/completions", json={"model": "auto", "messages": HI}, headers=sent)
    request, attempt = heard.spans()["POST /v1/chat/completions"], heard.spans()["chat maker/strong"]
    assert f"{request.parent.span_id:016x}" == "b7ad6b7169203331"
    received = strong.request_headers[0]
    assert received["traceparent"] == f"00-0af7651916cd43dd8448eb211c80319c-{attempt.context.span_id:016x}-01"
    assert received["tracestate"] == "vendor=1"


@pytest.mark.parametrize("given", ["nonsense", "00-00000000000000000000000000000000-b7ad6b7169203331-01"])
async def test_a_trace_of_nowhere_starts_a_new_one(tmp_path: Path, given: str) -> None:
    async with traced(tmp_path) as (gateway, _, __, heard):
        answered = await gateway.client.post(
            "/v1/chat/completions", json={"model": "auto", "messages": HI}, headers={"traceparent": given}
        )
    assert answered.status_code == 200
    assert heard.spans()["POST /v1/chat/completions"].parent is None


async def test_without_tracing_the_clients_trace_context_passes_through(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, strong, _):
        await gateway.client.post(
            "/v1/chat/completions", json={"model": "auto", "messages": HI}, headers={"traceparent": PARENT}
        )
        await gateway.chat()
    assert strong.request_headers[0]["traceparent"] == PARENT
    assert "traceparent" not in strong.request_headers[1]


async def test_a_fallback_shows_as_a_failed_attempt_and_another(tmp_path: Path) -> None:
    async with traced(tmp_path) as (gateway, strong, _, heard):
        strong.misbehave(UNWELL)
        assert (await gateway.chat()).status_code == 200
    spans = heard.spans()
    failed, answered = spans["chat maker/strong"], spans["chat maker/cheap"]
    assert (failed.status.status_code, about(failed)["error.type"]) == (StatusCode.ERROR, "status")
    assert answered.status.status_code is StatusCode.UNSET
    assert (about(failed)["paretogate.attempt"], about(answered)["paretogate.attempt"]) == (1, 2)
    assert about(spans["POST /v1/chat/completions"])["paretogate.fallback_from"] == ("strong",)
    assert spans["POST /v1/chat/completions"].status.status_code is StatusCode.UNSET


async def test_a_stream_is_one_attempt_until_its_end(tmp_path: Path) -> None:
    async with traced(tmp_path) as (gateway, _, __, heard):
        await gateway.chat(stream=True)
    attempt = heard.spans()["chat maker/strong"]
    assert about(attempt)["gen_ai.usage.output_tokens"] == 2
    assert about(attempt)["gen_ai.response.time_to_first_chunk"] > 0
    assert set(heard.points()) >= {
        "gen_ai.client.operation.time_to_first_chunk",
        "gen_ai.server.time_to_first_token",
        "gen_ai.server.time_per_output_token",
    }


async def test_a_stream_that_breaks_says_so(tmp_path: Path) -> None:
    async with traced(tmp_path) as (gateway, strong, _, heard):
        strong.misbehave(Misbehaviour(fault="cut_stream"))
        await gateway.chat(stream=True)
    assert about(heard.spans()["chat maker/strong"])["error.type"] == "unreachable"
    assert about(heard.spans()["POST /v1/chat/completions"])["error.type"] == "interrupted"


async def test_when_everybody_fails_the_request_has_failed(tmp_path: Path) -> None:
    async with traced(tmp_path) as (gateway, strong, cheap, heard):
        for provider in (strong, cheap):
            provider.misbehave(UNWELL, times=9)
        await gateway.chat()
    assert about(heard.spans()["POST /v1/chat/completions"])["error.type"] == "upstream_failed"


async def test_a_refused_request_is_a_span_without_a_decision(tmp_path: Path) -> None:
    async with traced(tmp_path) as (gateway, _, __, heard):
        await gateway.chat(messages=[])
    assert list(heard.spans()) == ["POST /v1/chat/completions"]
    assert about(heard.spans()["POST /v1/chat/completions"])["error.type"] == "invalid_request"


async def test_genai_metrics_count_tokens_and_time_without_names_that_clients_make_up(tmp_path: Path) -> None:
    async with traced(tmp_path) as (gateway, _, __, heard):
        await gateway.chat(model="auto:cheap")
    points = heard.points()
    tokens = {p.attributes["gen_ai.token.type"]: p.sum for p in points["gen_ai.client.token.usage"]}
    assert tokens == {"input": 10, "output": 3}
    (duration,) = points["gen_ai.client.operation.duration"]
    assert (duration.count, duration.attributes["gen_ai.original.model"]) == (1, "auto")
    (request,) = points["gen_ai.server.request.duration"]
    assert dict(request.attributes) == {"gen_ai.operation.name": "chat"}


@pytest.mark.parametrize(
    ("path", "body", "operation"),
    [
        ("/v1/completions", {"prompt": "hi"}, "text_completion"),
        ("/v1/messages", {"messages": HI, "max_tokens": 9}, "chat"),
        ("/v1/responses", {"input": "hi"}, "chat"),
    ],
)
async def test_every_door_is_traced(tmp_path: Path, path: str, body: dict[str, Any], operation: str) -> None:
    async with traced(tmp_path) as (gateway, _, __, heard):
        await gateway.client.post(path, json={"model": "auto", **body})
    assert about(heard.spans()[f"POST {path}"])["gen_ai.operation.name"] == operation
    assert f"{operation} maker/strong" in heard.spans()


async def test_what_is_not_sampled_is_told_to_the_backend_and_to_nobody_else(tmp_path: Path) -> None:
    heard = Heard(sampler=ALWAYS_OFF)
    async with pair(tmp_path, tracing=heard.tracing) as (gateway, strong, _):
        await gateway.chat()
    assert heard.spans() == {}
    assert int(strong.request_headers[0]["traceparent"][-2:], 16) & 1 == 0  # the flag that says: recorded
