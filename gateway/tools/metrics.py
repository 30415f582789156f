"""What the tools' part of the gateway counts. Labels come from closed sets of our own words."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from .trail import ToolTrail

__all__ = ["ToolMetrics"]

_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0)


class ToolMetrics:
    """Counters in the gateway's registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._tools = Counter("paretogate_tools", "Tools that came and that were sent", ["what"], registry=registry)
        self._selections = Counter("paretogate_tool_selections", "Offers of tools", ["how"], registry=registry)
        self._mendings = Counter("paretogate_tool_mendings", "Invalid tool calls", ["outcome"], registry=registry)
        self._failures = Counter(
            "paretogate_tool_selection_failures", "Offers sent whole for want of a choice", ["why"], registry=registry
        )
        self._indexes = Counter("paretogate_tool_indexes", "Indexes over tools", ["outcome"], registry=registry)
        self._making = Gauge(
            "paretogate_tool_indexes_in_making",
            "Indexes over tools that are not ready yet",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._duration = Histogram(
            "paretogate_tool_selection_seconds", "Choosing the tools", buckets=_BUCKETS_S, registry=registry
        )

    def chosen(self, trail: ToolTrail) -> None:
        """An offer was cut, or not."""
        self._tools.labels("offered").inc(trail.n_offered)
        self._tools.labels("sent").inc(len(trail.sent))
        self._selections.labels(trail.how).inc()
        if trail.how == "failed_open" and trail.why is not None:
            self._failures.labels(trail.why).inc()

    def index(self, event: str) -> None:
        """An index was `begun`, and then `ready` or `failed`."""
        if event == "begun":
            self._making.inc()
        else:
            self._making.dec()
            self._indexes.labels(event).inc()

    def took(self, duration_s: float) -> None:
        """Choosing among the tools took so long."""
        self._duration.observe(duration_s)

    def mended(self, outcome: str) -> None:
        """Invalid calls were met: `repair`, `escalate`, `given_up` or `failed`."""
        self._mendings.labels(outcome).inc()
