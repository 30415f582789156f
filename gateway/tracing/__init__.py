"""OpenTelemetry traces and GenAI metrics. Importing this loads no library for them; `open_tracing` does."""

from .opening import open_tracing
from .protocol import RequestTrace, Tracing

__all__ = ["RequestTrace", "Tracing", "open_tracing"]
