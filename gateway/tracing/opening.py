"""Whether anybody listens to traces, and the SDK set up for them; samplers, headers and limits are its own matter."""

from collections.abc import Mapping
from importlib.metadata import version
from importlib.util import find_spec
from typing import Final

import structlog

from gateway.settings import InvalidSettingsError, TelemetrySettings

from .protocol import Tracing

__all__ = ["open_tracing"]

log = structlog.get_logger(__name__)

_ENDPOINTS: Final = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
)
_INSTALL: Final = "pip install 'paretogate[telemetry]'"
_SPOKEN: Final = "http/protobuf"


def open_tracing(settings: TelemetrySettings, environ: Mapping[str, str]) -> Tracing | None:
    """What the configuration and the usual OTEL_* variables ask for; None where nobody listens.

    Raises:
        InvalidSettingsError: it is switched on, and cannot be.
    """
    heard = settings.otlp_endpoint is not None or any(environ.get(name) for name in _ENDPOINTS)
    if settings.otlp == "off" or environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    if settings.otlp == "auto" and not heard:
        return None
    problem = _problem(environ)
    if problem is None:
        return _open(settings, environ)
    if settings.otlp == "on":
        raise InvalidSettingsError(f"telemetry.otlp: {problem}")
    log.warning("traces_left_out", reason=problem)
    return None


def _problem(environ: Mapping[str, str]) -> str | None:
    if any(find_spec(name) is None for name in ("opentelemetry", "opentelemetry.sdk", "opentelemetry.exporter")):
        return f"traces need the OpenTelemetry SDK: {_INSTALL}"
    protocol = environ.get("OTEL_EXPORTER_OTLP_PROTOCOL") or _SPOKEN
    if protocol != _SPOKEN:
        return f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol!r}; only {_SPOKEN} is spoken here, by custom to port 4318"
    return None


def _open(settings: TelemetrySettings, environ: Mapping[str, str]) -> Tracing:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415 - heavy
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    from .spans import OtlpTracing  # noqa: PLC0415

    root = settings.otlp_endpoint.rstrip("/") if settings.otlp_endpoint else None
    facts = {"service.version": version("paretogate")}
    if "OTEL_SERVICE_NAME" not in environ and "service.name=" not in environ.get("OTEL_RESOURCE_ATTRIBUTES", ""):
        facts["service.name"] = "paretogate"
    resource = Resource.create(facts)
    traces = metrics = None
    if environ.get("OTEL_TRACES_EXPORTER") != "none":
        traces = TracerProvider(resource=resource, shutdown_on_exit=False)
        exporter = OTLPSpanExporter(endpoint=f"{root}/v1/traces") if root else OTLPSpanExporter()
        traces.add_span_processor(BatchSpanProcessor(exporter))
    if environ.get("OTEL_METRICS_EXPORTER") != "none":
        sender = OTLPMetricExporter(endpoint=f"{root}/v1/metrics") if root else OTLPMetricExporter()
        metrics = MeterProvider([PeriodicExportingMetricReader(sender)], resource=resource, shutdown_on_exit=False)
    return OtlpTracing(traces=traces, metrics=metrics)
