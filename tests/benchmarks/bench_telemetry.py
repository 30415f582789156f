"""What watching a request costs: `python -m tests.benchmarks.bench_telemetry`.

CPU per request of everything that one request tells its metrics and its trace, without any network: with tracing off
(what every gateway pays), with the OpenTelemetry SDK sampling every trace, and sampling none.
"""

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from catalog import Backend, Usage
from gateway.telemetry import Telemetry
from gateway.tracing.spans import OtlpTracing
from gateway.upstreams.passing_on import carried_headers, passed_on

__all__: list[str] = []

_REQUESTS = 5_000
_USAGE = Usage(input_tokens=100, output_tokens=20, cached_input_tokens=10, reasoning_tokens=5)
_BACKEND = Backend(id="b", profile_id="x/m", kind="openai", provider="openai", model_name="m")
_HEADERS = {f"x-header-{i}": "some value" for i in range(12)}


class _Nowhere(SpanExporter):
    def export(self, spans: Any) -> SpanExportResult:
        return SpanExportResult.SUCCESS


def metrics(telemetry: Telemetry) -> None:
    """One answered request, as the doors and the dispatcher tell it."""
    telemetry.decided(model="x/m", policy="balanced", explored=False, duration_s=0.0003)
    telemetry.answered(model="x/m", usage=_USAGE, cost_usd=0.001, predicted_usd=0.001, ttft_s=0.2)
    telemetry.request_ended("chat", "ok", duration_s=0.5, overhead_s=0.001)


def untraced() -> None:
    """What remains of tracing where it is off: looking for the few headers that travel on."""
    passed_on(carried_headers(_HEADERS), _BACKEND)


def traced(tracing: OtlpTracing) -> None:
    """One answered request's trace."""
    call: Any = SimpleNamespace(
        request=SimpleNamespace(model="auto"),
        decision_id="dec_1",
        decision=SimpleNamespace(
            chosen=SimpleNamespace(profile=SimpleNamespace(id="x/m")),
            policy="balanced",
            reason="utility",
            propensity=0.98,
            explored=False,
            pool=SimpleNamespace(ids=("x/m", "y/n")),
            front=(0, 1),
        ),
        standing=SimpleNamespace(session_id="s"),
        options=SimpleNamespace(session_id=None),
        serving=SimpleNamespace(names={}),
        attempts=1,
        failures=[],
        ttft_s=0.2,
        cost_usd=0.001,
    )
    trace = tracing.begin("chat", _HEADERS)
    trace.decided(call, duration_s=0.0003)
    trace.attempt_began(call, _BACKEND, "x/m")
    trace.propagated()
    trace.concluded(call, status="ok", usage=_USAGE, response_id="r", model_returned="m", finish_reason="stop")
    trace.ended("ok", duration_s=0.5, overhead_s=0.001)


def cpu_us(work: Callable[[], None]) -> float:
    """CPU microseconds of one call, the least of five rounds."""
    rounds = []
    for _ in range(5):
        began = time.process_time()
        for _ in range(_REQUESTS // 5):
            work()
        rounds.append((time.process_time() - began) / (_REQUESTS // 5))
    return 1e6 * min(rounds)


def main() -> None:
    """Print the table."""
    telemetry = Telemetry()
    nothing = cpu_us(lambda: None)
    rows = {"metrics": cpu_us(lambda: metrics(telemetry)), "tracing off": cpu_us(untraced)}
    for name, more in (("tracing, nothing sampled", {"sampler": ALWAYS_OFF}), ("tracing, all sampled", {})):
        provider = TracerProvider(shutdown_on_exit=False, **more)
        provider.add_span_processor(BatchSpanProcessor(_Nowhere()))
        meters = MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)
        tracing = OtlpTracing(traces=provider, metrics=meters)
        rows[name] = cpu_us(lambda tracing=tracing: traced(tracing))  # type: ignore[misc]
        tracing.close()
    for name, cost in rows.items():
        print(f"{name:28s} {cost - nothing:8.1f} us CPU per request")  # noqa: T201


if __name__ == "__main__":
    main()
