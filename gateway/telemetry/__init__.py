"""What is said about the running gateway: Prometheus metrics and structured logs, without prompts and keys."""

from .logs import configure_logging
from .metrics import METRICS_CONTENT_TYPE, Telemetry

__all__ = ["METRICS_CONTENT_TYPE", "Telemetry", "configure_logging"]
