"""A span per request, per decision and per attempt, and the GenAI metrics.

    POST /v1/chat/completions      server, a child of the client's traceparent
      decide                       who should answer, and with which propensity
      chat maker/strong            client, one per backend that was asked; its traceparent is what the backend gets

Names follow OpenTelemetry's GenAI semantic conventions (status: development); what they have no word for is
`paretogate.*`. No attribute holds a prompt, an answer, a tool or a key. Metrics carry only labels from closed sets.
"""

import threading
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from time import time_ns
from types import MappingProxyType
from typing import Any, Final

from opentelemetry.metrics import Histogram, MeterProvider, NoOpMeterProvider
from opentelemetry.trace import (
    NoOpTracerProvider,
    Span,
    SpanKind,
    Status,
    StatusCode,
    TracerProvider,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from catalog import Backend, Usage
from gateway.errors import UpstreamError

from .protocol import Traced

__all__ = ["OtlpTracing", "Trace"]

_FLUSH_S: Final = 2.0
_OPERATIONS: Final[Mapping[str, str]] = MappingProxyType({"completions": "text_completion", "embeddings": "embeddings"})
_PATHS: Final[Mapping[str, str]] = MappingProxyType({"chat": "/v1/chat/completions"})
_PROVIDERS: Final[Mapping[str, str]] = MappingProxyType(  # ours, litellm's and makers' names -> the convention's
    {
        "azure": "azure.ai.openai",
        "azure_ai": "azure.ai.inference",
        "bedrock": "aws.bedrock",
        "bedrock_converse": "aws.bedrock",
        "gemini": "gcp.gemini",
        "google": "gcp.gen_ai",
        "mistral": "mistral_ai",
        "mistralai": "mistral_ai",
        "vertex_ai": "gcp.vertex_ai",
        "watsonx": "ibm.watsonx.ai",
        "x-ai": "x_ai",
        "xai": "x_ai",
    }
)
_TOKENS: Final = tuple(4.0**power for power in range(14))  # 1 .. 67,108,864
_DURATIONS_S: Final = tuple(0.01 * 2.0**power for power in range(14))  # 0.01 .. 81.92
_TTFTS_S: Final = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_PACES_S: Final = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
_W3C: Final = TraceContextTextMapPropagator()


class OtlpTracing:
    """See `Tracing`. Giving no provider of traces or of metrics leaves them out."""

    def __init__(self, *, traces: TracerProvider | None = None, metrics: MeterProvider | None = None) -> None:
        self._providers: list[Any] = [provider for provider in (traces, metrics) if provider is not None]
        self.tracer = (traces or NoOpTracerProvider()).get_tracer("paretogate", version("paretogate"))
        meter = (metrics or NoOpMeterProvider()).get_meter("paretogate", version("paretogate"))

        def histogram(name: str, unit: str, buckets: Sequence[float], text: str) -> Histogram:
            return meter.create_histogram(
                f"gen_ai.{name}", unit=unit, description=text, explicit_bucket_boundaries_advisory=list(buckets)
            )

        self.tokens = histogram("client.token.usage", "{token}", _TOKENS, "Tokens of a call")
        self.operation_s = histogram("client.operation.duration", "s", _DURATIONS_S, "One attempt at one backend")
        self.first_chunk_s = histogram(
            "client.operation.time_to_first_chunk", "s", _TTFTS_S, "Until a backend's first content"
        )
        self.request_s = histogram("server.request.duration", "s", _DURATIONS_S, "A whole request")
        self.first_token_s = histogram(
            "server.time_to_first_token", "s", _TTFTS_S, "Until our first content, decision and fallbacks included"
        )
        self.per_token_s = histogram("server.time_per_output_token", "s", _PACES_S, "Each token after the first")

    def begin(self, door: str, headers: Mapping[str, str]) -> "Trace":
        """See `Tracing.begin`."""
        return Trace(self, door, headers)

    def close(self) -> None:
        """See `Tracing.close`."""
        # The SDK tries a collector that is away again and again; whoever stops the gateway need not wait for that.
        ending = [threading.Thread(target=provider.shutdown, daemon=True) for provider in self._providers]
        for thread in ending:
            thread.start()
        for thread in ending:
            thread.join(_FLUSH_S)


class Trace:
    """See `RequestTrace`."""

    def __init__(self, tracing: OtlpTracing, door: str, headers: Mapping[str, str]) -> None:
        self._tracing, self._operation = tracing, _OPERATIONS.get(door, "chat")
        self._attempt: Span | None = None
        self._facts: dict[str, Any] = {}  # of the attempt, for the metrics
        self._began_ns = self._asked_ns = time_ns()
        path = _PATHS.get(door, f"/v1/{door}")
        about = {"http.request.method": "POST", "http.route": path, "gen_ai.operation.name": self._operation}
        self._span = tracing.tracer.start_span(
            f"POST {path}", context=_W3C.extract(headers), kind=SpanKind.SERVER, attributes=about
        )
        self._context = set_span_in_context(self._span)

    def decided(self, call: Traced, *, duration_s: float) -> None:
        """See `RequestTrace.decided`."""
        if not self._span.is_recording():
            return
        decision, now_ns = call.decision, time_ns()
        facts: dict[str, Any] = {
            "gen_ai.original.model": call.request.model,
            "paretogate.decision.id": call.decision_id,
            "paretogate.decision.chosen": decision.chosen.profile.id,
            "paretogate.decision.policy": decision.policy,
            "paretogate.decision.reason": decision.reason,
            "paretogate.decision.propensity": float(decision.propensity),
            "paretogate.decision.explored": decision.explored,
        }
        if (session := call.standing.session_id or call.options.session_id) is not None:
            facts["gen_ai.conversation.id"] = session
        self._span.set_attributes({**facts, "gen_ai.request.model": decision.chosen.profile.id})
        facts["paretogate.decision.candidates"] = len(decision.pool.ids)
        facts["paretogate.decision.front"] = [decision.pool.ids[p] for p in decision.front]
        began_ns = now_ns - int(duration_s * 1e9)
        self._tracing.tracer.start_span("decide", context=self._context, start_time=began_ns, attributes=facts).end(
            now_ns
        )

    def attempt_began(self, call: Traced, backend: Backend, model_id: str) -> None:
        """See `RequestTrace.attempt_began`."""
        asked = call.request.model
        self._facts = {
            "gen_ai.operation.name": self._operation,
            "gen_ai.provider.name": _PROVIDERS.get(backend.provider, backend.provider),
            "gen_ai.request.model": model_id,
            "gen_ai.original.model": asked if asked in call.serving.names else "auto",  # clients make names up
        }
        more: dict[str, Any] = {
            "gen_ai.original.model": asked,
            "paretogate.backend": backend.id,
            "paretogate.attempt": call.attempts,
        }
        self._asked_ns = time_ns()
        self._attempt = self._tracing.tracer.start_span(
            f"{self._operation} {model_id}",
            context=self._context,
            kind=SpanKind.CLIENT,
            start_time=self._asked_ns,
            attributes={**self._facts, **more},
        )

    def propagated(self) -> Mapping[str, str]:
        """See `RequestTrace.propagated`."""
        carrier: dict[str, str] = {}
        _W3C.inject(carrier, set_span_in_context(self._attempt or self._span))
        return carrier

    def attempt_failed(self, failure: UpstreamError) -> None:
        """See `RequestTrace.attempt_failed`."""
        self._end_attempt(error=failure.reason)

    def concluded(
        self,
        call: Traced,
        *,
        status: str,
        usage: Usage | None,
        response_id: str | None,
        model_returned: str | None,
        finish_reason: str | None,
    ) -> None:
        """See `RequestTrace.concluded`."""
        facts: dict[str, Any] = {
            "gen_ai.response.id": response_id,
            "gen_ai.response.model": model_returned,
            "gen_ai.response.finish_reasons": [finish_reason] if finish_reason else None,
            "gen_ai.response.time_to_first_chunk": call.ttft_s,
            "paretogate.cost_usd": call.cost_usd,
            **(_spent(usage) if usage is not None else {}),
        }
        known = {name: value for name, value in facts.items() if value is not None}
        self._span.set_attributes({**known, "paretogate.attempts": call.attempts})
        if call.failures:
            self._span.set_attribute("paretogate.fallback_from", [failure.backend_id for failure in call.failures])
        if self._attempt is not None:
            self._attempt.set_attributes(known)
            self._measure(call, usage)
            failed = call.failures[-1].reason if call.failures else status
            self._end_attempt(error=None if status == "ok" else failed)

    def ended(self, outcome: str, *, duration_s: float, overhead_s: float) -> None:
        """See `RequestTrace.ended`."""
        self._end_attempt(error=outcome)
        facts = {"gen_ai.operation.name": self._operation}
        if outcome != "ok":
            facts["error.type"] = outcome
            _fail(self._span, outcome)
        self._span.set_attribute("paretogate.overhead_s", round(overhead_s, 6))
        self._tracing.request_s.record(duration_s, facts)
        self._span.end()

    def _measure(self, call: Traced, usage: Usage | None) -> None:
        tracing, facts = self._tracing, self._facts
        if usage is not None:
            tracing.tokens.record(usage.input_tokens, {**facts, "gen_ai.token.type": "input"})
            tracing.tokens.record(usage.output_tokens, {**facts, "gen_ai.token.type": "output"})
        if call.ttft_s is None:
            return
        tracing.first_chunk_s.record(call.ttft_s, facts)
        tracing.first_token_s.record((self._asked_ns - self._began_ns) / 1e9 + call.ttft_s, facts)
        if usage is not None and usage.output_tokens > 1:
            writing_s = (time_ns() - self._asked_ns) / 1e9 - call.ttft_s
            tracing.per_token_s.record(max(0.0, writing_s) / (usage.output_tokens - 1), facts)

    def _end_attempt(self, *, error: str | None) -> None:
        if self._attempt is None:
            return
        facts = self._facts
        if error is not None:
            facts = {**facts, "error.type": error}
            _fail(self._attempt, error)
        self._tracing.operation_s.record((time_ns() - self._asked_ns) / 1e9, facts)
        self._attempt.end()
        self._attempt = None


def _spent(usage: Usage) -> dict[str, int]:
    return {
        "gen_ai.usage.input_tokens": usage.input_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cached_input_tokens,
        "gen_ai.usage.cache_creation.input_tokens": usage.cache_write_tokens,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens,
    }


def _fail(span: Span, reason: str) -> None:
    span.set_attribute("error.type", reason)
    span.set_status(Status(StatusCode.ERROR, reason))
