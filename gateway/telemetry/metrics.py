"""Prometheus metrics of the running gateway.

Labels come from closed sets: models and backends of the pool, policies that are configured, outcomes of our own.
Several worker processes count into files of one folder, and whichever is asked answers for all of them.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from catalog import Usage

from .tallies import BufferedCounter, BufferedHistogram

__all__ = ["METRICS_CONTENT_TYPE", "Telemetry"]

METRICS_CONTENT_TYPE = CONTENT_TYPE_LATEST

_OVERHEAD_BUCKETS_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1)
_DECISION_BUCKETS_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05)
_CALL_BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_ERROR_RATIOS = (0.1, 0.25, 0.5, 0.8, 1.25, 2, 4, 10)
_UNKNOWN = float("nan")
_SERVER_FACTS = ("running", "waiting", "cache_use")
_BREAKER_STATES = {"closed": 0, "half_open": 1, "open": 2}


GaugeMode = Literal["livesum", "livemax", "livemostrecent"]  # of the workers that live


class Telemetry:
    """Every metric of one gateway, in a registry of its own."""

    def __init__(self, *, shared: Path | None = None) -> None:
        """`shared` is the folder that the workers count into: PROMETHEUS_MULTIPROC_DIR of this process's start."""
        self.registry, self._shared = CollectorRegistry(), shared
        self._sources: list[Callable[[], None]] = []
        self._servers: dict[str, Mapping[str, float | None]] = {}  # every one that ever told
        self._children: dict[tuple[object, ...], Any] = {}  # by metric and labels
        self._buffered: list[BufferedCounter | BufferedHistogram] = []  # in front of counters and histograms
        self._bounds: dict[MetricWrapperBase, tuple[float, ...]] = {}  # of histograms
        self._requests = self._counter("requests", "Requests by door and outcome", "door", "outcome")
        self._selections = self._counter("selections", "Models chosen, by policy", "model", "policy")
        self._tokens = self._counter("tokens", "Tokens, as the backends counted them", "model", "type")
        self._cost = self._counter("cost_usd", "US dollars owed to the backends", "model")
        self._unpriced = self._counter(
            "unpriced_calls", "Answers that no price or no token count was known for", "model"
        )
        self._fallbacks = self._counter("fallbacks", "Attempts after which another was made", "from", "to", "reason")
        self._rejections = self._counter("constraint_rejections", "Requests no model qualified for", "constraint")
        self._explored = self._counter("explore", "Choices made in order to learn")
        self._feedback = self._counter("feedback", "Pieces of feedback", "kind")
        self._drift = self._counter("model_drift", "Answers by another model than the one asked", "backend")
        self._canary_checks = self._counter("canary_checks", "Times canaries were due", "backend", "outcome")
        self._quota_refusals = self._counter("quota_refusals", "Requests that a key's limit refused", "limit")
        self._budgets_low = self._counter("budgets_low", "Budgets of keys of which a fifth or less was left", "limit")
        self._state_failures = self._counter("state_failures", "Times the shared state could not be asked")
        self._state_degraded = self._gauge("state_degraded", "1 while limits hold per replica only", mode="livemax")
        self._duration = self._histogram("request_duration_seconds", "Whole request", _CALL_BUCKETS_S, "door")
        self._overhead = self._histogram("overhead_seconds", "The part we add", _OVERHEAD_BUCKETS_S, "door")
        self._decision = self._histogram("decision_duration_seconds", "One decision", _DECISION_BUCKETS_S)
        self._ttft = self._histogram("ttft_seconds", "Until a backend's first token", _CALL_BUCKETS_S, "model")
        self._error = self._histogram("prediction_error", "Cost: true over predicted", _ERROR_RATIOS, "model")
        self._in_flight = self._gauge("inflight", "Requests being answered")
        self._memory = self._gauge("resident_memory_bytes", "Main memory of the process, or of all workers together")
        self._canary_share = self._gauge(
            "canary_mismatch_ratio", "Canaries answered unlike the claimed model", "backend", mode="livemax"
        )
        self._canary_differs = self._gauge(
            "canary_differs", "1 while a backend is not the model it claims to be", "backend", mode="livemax"
        )
        self._breaker = self._gauge("breaker_state", "0 closed, 1 half open, 2 open", "backend", mode="livemax")
        self._backend_in_flight = self._gauge("backend_inflight", "Requests at a backend", "backend")
        self._server = self._gauge(
            "server_load", "What a backend's server says of itself", "backend", "fact", mode="livemostrecent"
        )
        self._journal = self._gauge("journal", "How the journal fares", "fact")
        self._behind = self._gauge(
            "predictor_behind", "1 while what was promoted there could not be taken up", "place", mode="livemax"
        )
        self._stream = self._gauge("journal_stream", "Records in Redis, and how many may be", "fact", mode="livemax")

    def watch(self, source: Callable[[], None]) -> None:
        """Call this whenever gauges are to be set: at every `refresh`."""
        self._sources.append(source)

    def refresh(self) -> None:
        """Set every gauge to what is true now, and flush what was counted.

        Before every exposition, and every second where workers share; by the thread that counts.
        """
        for source in self._sources:
            source()
        for buffered in self._buffered:
            buffered.flush()

    def inside(self, count: int) -> None:
        """So many requests are being answered."""
        self._child(self._in_flight).set(count)

    def memory_held(self, resident_bytes: int | None) -> None:
        """So much memory is held; None where that is not known."""
        self._child(self._memory).set(_UNKNOWN if resident_bytes is None else resident_bytes)

    def backends_fare(self, states: Mapping[str, tuple[str, int]]) -> None:
        """Backend id -> its breaker's state, and our requests there."""
        for name, (state, in_flight) in states.items():
            self._child(self._breaker, name).set(_BREAKER_STATES[state])
            self._child(self._backend_in_flight, name).set(in_flight)

    def servers_told(self, loads: Mapping[str, Mapping[str, float | None]]) -> None:
        """Backend id -> what its server says; of a server that has fallen silent nothing is known any more."""
        self._servers.update(loads)
        for name in self._servers:
            for fact in _SERVER_FACTS:
                value = loads[name].get(fact) if name in loads else None
                self._child(self._server, name, fact).set(_UNKNOWN if value is None else value)

    def journal_fares(self, facts: Mapping[str, int]) -> None:
        """How much was written, lost and is waiting."""
        for fact, value in facts.items():
            self._child(self._journal, fact).set(value)

    def stream_fares(self, *, records: int, limit: int) -> None:
        """So many records of all replicas wait in Redis to be collected, and so many may."""
        for fact, value in (("records", records), ("limit", limit)):
            self._child(self._stream, fact).set(value)

    def request_ended(self, door: str, outcome: str, *, duration_s: float, overhead_s: float) -> None:
        """A request is over: `outcome` is ok, cancelled, interrupted or the error's code."""
        self._child(self._requests, door, outcome).inc()
        self._child(self._duration, door).observe(duration_s)
        self._child(self._overhead, door).observe(overhead_s)

    def decided(self, *, model: str, policy: str, explored: bool, duration_s: float) -> None:
        """A model was chosen."""
        self._child(self._selections, model, policy).inc()
        self._child(self._decision).observe(duration_s)
        if explored:
            self._child(self._explored).inc()

    def rejected(self, rejections: Mapping[str, int]) -> None:
        """No model qualified."""
        for constraint in rejections:
            self._child(self._rejections, constraint).inc()

    def answered(
        self, *, model: str, usage: Usage | None, cost_usd: float | None, predicted_usd: float, ttft_s: float | None
    ) -> None:
        """A backend answered; an unknown cost is counted as unknown, not as zero."""
        if usage is not None:
            self._child(self._tokens, model, "input").inc(usage.input_tokens)
            self._child(self._tokens, model, "output").inc(usage.output_tokens)
            if usage.cached_input_tokens:
                self._child(self._tokens, model, "cached_input").inc(usage.cached_input_tokens)
            if usage.reasoning_tokens:
                self._child(self._tokens, model, "reasoning").inc(usage.reasoning_tokens)
        if cost_usd is None:
            self._child(self._unpriced, model).inc()
        else:
            self._child(self._cost, model).inc(cost_usd)
            if predicted_usd > 0:
                self._child(self._error, model).observe(cost_usd / predicted_usd)
        if ttft_s is not None:
            self._child(self._ttft, model).observe(ttft_s)

    def fell_back(self, *, failed: str, to: str, reason: str) -> None:
        """Another backend took over."""
        self._child(self._fallbacks, failed, to, reason).inc()

    def model_drifted(self, backend: str) -> None:
        """A backend answered in another model's name."""
        self._child(self._drift, backend).inc()

    def predictor_behind(self, place: Literal["state_directory", "replicas"], *, is_behind: bool) -> None:
        """Whether another predictor was promoted there than decides here: by its command here, or for all replicas."""
        self._child(self._behind, place).set(is_behind)

    def canaries_checked(self, backend: str, outcome: Literal["fits", "differs", "unanswered", "over_budget"]) -> None:
        """A backend's canaries were due."""
        self._child(self._canary_checks, backend, outcome).inc()

    def canaries_judged(self, backend: str, *, mismatch_share: float, differs: bool) -> None:
        """A backend answered its canaries."""
        self._child(self._canary_share, backend).set(mismatch_share)
        self._child(self._canary_differs, backend).set(differs)

    def feedback_came(self, kind: Literal["feedback", "outcome"]) -> None:
        """Somebody said how good an answer was."""
        self._child(self._feedback, kind).inc()

    def quota_refused(self, limit: str) -> None:
        """A limit of a key refused a request."""
        self._child(self._quota_refusals, limit).inc()

    def budget_ran_low(self, limit: str) -> None:
        """Little is left of a key's budget; said once a period."""
        self._child(self._budgets_low, limit).inc()

    def degraded(self, *, is_degraded: bool) -> None:
        """The shared state went away, or came back."""
        self._child(self._state_degraded).set(is_degraded)

    def failed(self) -> None:
        """The shared state could not be asked."""
        self._child(self._state_failures).inc()

    def exposition(self) -> bytes:
        """The text that Prometheus scrapes, of all workers, as the last `refresh` of each left it."""
        if self._shared is None:
            return generate_latest(self.registry)
        _forget_the_dead(self._shared)
        together = CollectorRegistry()
        MultiProcessCollector(together, path=str(self._shared))  # type: ignore[no-untyped-call] # the library's
        return generate_latest(together)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"paretogate_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str, mode: GaugeMode = "livesum") -> Gauge:
        return Gauge(f"paretogate_{name}", text, labels, registry=self.registry, multiprocess_mode=mode)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        histogram = Histogram(f"paretogate_{name}", text, labels, buckets=buckets, registry=self.registry)
        self._bounds[histogram] = buckets
        return histogram

    def _child(self, metric: MetricWrapperBase, *labels: str) -> Any:  # noqa: ANN401 - a metric of any kind
        """The labelled metric, remembered: looking it up in the library costs ten times as much."""
        key = (metric, *labels)  # metrics are told apart by identity
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = self._counting(metric, metric.labels(*labels) if labels else metric)
        return child

    def _counting(self, metric: MetricWrapperBase, child: Any) -> Any:  # noqa: ANN401 - a metric of any kind
        """What counts for this child; gauges speak for themselves."""
        if isinstance(metric, Gauge):
            return child
        is_counter = isinstance(metric, Counter)
        buffered = BufferedCounter(child) if is_counter else BufferedHistogram(child, self._bounds[metric])
        self._buffered.append(buffered)
        return buffered


def _forget_the_dead(shared: Path) -> None:
    """A worker that is gone holds no requests; what it counted still counts."""
    for pid in {int(path.stem.rpartition("_")[2]) for path in shared.glob("gauge_live*_*.db")}:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            mark_process_dead(pid, path=str(shared))  # type: ignore[no-untyped-call] # the library's
        except PermissionError:
            continue  # somebody else's process has its number now
