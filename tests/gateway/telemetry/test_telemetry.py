import io
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import structlog

from catalog import Usage
from gateway.telemetry import Telemetry, configure_logging
from gateway.telemetry.third_party_logs import LibraryLog
from tests.waiting import AT_MOST_S


def text(telemetry: Telemetry) -> str:
    telemetry.backends_fare({"b": ("open", 2)})
    telemetry.journal_fares({"written": 3})
    telemetry.refresh()
    return telemetry.exposition().decode()


def test_what_was_counted_is_exposed() -> None:
    telemetry = Telemetry()
    usage = Usage(input_tokens=10, output_tokens=2, cached_input_tokens=4)
    telemetry.answered(model="m", usage=usage, cost_usd=0.5, predicted_usd=0.25, ttft_s=0.1)
    shown = text(telemetry)
    assert 'paretogate_tokens_total{model="m",type="cached_input"} 4.0' in shown
    assert 'paretogate_cost_usd_total{model="m"} 0.5' in shown
    assert 'paretogate_prediction_error_bucket{le="2.0",model="m"} 1.0' in shown
    assert 'paretogate_breaker_state{backend="b"} 2.0' in shown
    assert 'paretogate_journal{fact="written"} 3.0' in shown


def test_an_unknown_cost_is_counted_as_unknown() -> None:
    telemetry = Telemetry()
    telemetry.answered(model="m", usage=None, cost_usd=None, predicted_usd=0.25, ttft_s=None)
    shown = text(telemetry)
    assert 'paretogate_unpriced_calls_total{model="m"} 1.0' in shown
    assert 'paretogate_cost_usd_total{model="m"}' not in shown


def test_the_overhead_has_buckets_below_a_millisecond() -> None:
    telemetry = Telemetry()
    telemetry.request_ended("chat", "ok", duration_s=0.2, overhead_s=0.0007)
    assert 'paretogate_overhead_seconds_bucket{door="chat",le="0.001"} 1.0' in text(telemetry)


def test_values_that_were_observed_stand_in_their_buckets_and_are_told_once() -> None:
    telemetry = Telemetry()
    for duration_s in (0.05, 0.06, 1_000.0):  # on a bound, above it, and beyond all
        telemetry.request_ended("chat", "ok", duration_s=duration_s, overhead_s=0.0)
    telemetry.refresh()
    shown = text(telemetry)
    for le, count in (("0.05", 1), ("0.1", 2), ("300.0", 2), ("+Inf", 3)):
        assert f'paretogate_request_duration_seconds_bucket{{door="chat",le="{le}"}} {count}.0' in shown
    assert 'paretogate_request_duration_seconds_sum{door="chat"} 1000.11' in shown
    assert 'paretogate_requests_total{door="chat",outcome="ok"} 3.0' in shown


def test_a_key_never_reaches_the_log(capsys) -> None:
    try:
        configure_logging(level="info", style="json")
        log = structlog.get_logger("t")
        log.info("asked", header="Bearer abc.def", key="sk-planted0123456789")
        try:
            raise RuntimeError("failed with sk-planted0123456789")
        except RuntimeError:
            log.exception("crashed")
    finally:
        structlog.reset_defaults()
    said = capsys.readouterr().err
    assert "asked" in said
    assert "crashed" in said
    assert "planted" not in said
    assert "abc.def" not in said


def test_what_libraries_log_is_of_our_format_and_quotes_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("uvicorn"), "propagate", True)  # whatever other tests had it configured to
    try:
        configure_logging(level="warning", style="json")
        structlog.configure(cache_logger_on_first_use=False)
        logging.getLogger("uvicorn.error").error("Cancel %s running task(s)", 1)
        logging.getLogger("opentelemetry.exporter").warning("the collector is away")
        try:
            raise ValueError("could not read planted")
        except ValueError as exc:
            logging.getLogger("asyncio").error("Task exception was never retrieved: %r", exc, exc_info=exc)
    finally:
        structlog.reset_defaults()
        logging.getLogger().handlers[:] = [h for h in logging.getLogger().handlers if not isinstance(h, LibraryLog)]
    said = capsys.readouterr().err
    served, exported, broke = map(json.loads, said.splitlines())
    assert served["message"] == "Cancel 1 running task(s)"
    assert exported["message"] == "the collector is away"
    assert broke["event"] == "library_warned"
    assert broke["library"] == "asyncio"
    assert "ValueError" in broke["exception"]
    assert "planted" not in said


def test_what_a_client_says_of_its_trace_is_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    """It was, with every request, in the client's words and at its length."""
    propagation = pytest.importorskip("opentelemetry.trace.propagation.tracecontext")
    trace = {"traceparent": f"00-{'1' * 32}-{'2' * 16}-01", "tracestate": "planted by a client,vendor=planted,vendor=2"}
    try:
        configure_logging(level="warning", style="json")
        structlog.configure(cache_logger_on_first_use=False)
        propagation.TraceContextTextMapPropagator().extract(trace)
    finally:
        structlog.reset_defaults()
        logging.getLogger().handlers[:] = [h for h in logging.getLogger().handlers if not isinstance(h, LibraryLog)]
    assert capsys.readouterr().err == ""


class Failing(io.StringIO):
    """A pipe whose reader has ended, or a file on a full disk, for a while."""

    fails = True

    def write(self, text: str) -> int:
        if self.fails:
            raise BrokenPipeError(text)
        return super().write(text)


def test_a_log_that_nobody_takes_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Failing()
    monkeypatch.setattr(sys, "stderr", stream)
    try:
        configure_logging(level="info", style="json")
        log = structlog.get_logger("t")
        log.warning("unheard")
        stream.fails = False
        log.warning("heard")
        said = stream.getvalue()
        stream.close()
        log.warning("after the end")
    finally:
        structlog.reset_defaults()
    assert '"heard"' in said
    assert "unheard" not in said


# Every metric that the conventions we follow name; there is no cache of answers, so none of `cache_events_total`.
CONVENTIONAL = [
    "requests_total",
    "request_duration_seconds",
    "overhead_seconds",
    "decision_duration_seconds",
    "ttft_seconds",
    "tokens_total",
    "cost_usd_total",
    "fallbacks_total",
    "constraint_rejections_total",
    "selections_total",
    "explore_total",
    "feedback_total",
    "prediction_error",
    "breaker_state",
    "inflight",
]


def test_every_metric_of_the_convention_is_there() -> None:
    described = Telemetry().exposition().decode()
    kinds = {line.split()[2] for line in described.splitlines() if line.startswith("# TYPE")}
    assert {f"paretogate_{name}" for name in CONVENTIONAL} <= kinds


def test_gauges_are_asked_for_when_they_are_wanted() -> None:
    telemetry, inside = Telemetry(), [3]
    telemetry.watch(lambda: telemetry.inside(inside[0]))
    telemetry.refresh()
    inside[0] = 1
    telemetry.refresh()
    assert "paretogate_inflight 1.0" in telemetry.exposition().decode()


def test_memory_that_the_system_does_not_tell_is_unknown_and_not_none() -> None:
    telemetry = Telemetry()
    telemetry.memory_held(3 << 20)
    assert "paretogate_resident_memory_bytes 3.145728e+06" in telemetry.exposition().decode()
    telemetry.memory_held(None)
    assert "paretogate_resident_memory_bytes NaN" in telemetry.exposition().decode()


def test_a_server_that_fell_silent_is_unknown_and_not_idle() -> None:
    telemetry = Telemetry()
    telemetry.servers_told({"b": {"running": 2.0, "waiting": 0.0, "cache_use": None}})
    told = telemetry.exposition().decode()
    assert 'paretogate_server_load{backend="b",fact="waiting"} 0.0' in told
    assert 'paretogate_server_load{backend="b",fact="cache_use"} NaN' in told
    telemetry.servers_told({})
    assert 'paretogate_server_load{backend="b",fact="running"} NaN' in telemetry.exposition().decode()


WORKER = """
import sys
from pathlib import Path
from gateway.telemetry import Telemetry

telemetry = Telemetry(shared=Path(sys.argv[1]))
telemetry.fell_back(failed="a", to="b", reason="timeout")
telemetry.request_ended("chat", "ok", duration_s=0.3, overhead_s=0.002)
telemetry.inside(2)
telemetry.backends_fare({"b": (sys.argv[2], 1)})
telemetry.refresh()
print(flush=True)
sys.stdin.read()
print(telemetry.exposition().decode())
"""


def test_workers_count_together_and_the_dead_hold_no_requests(tmp_path: Path) -> None:
    environ = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(tmp_path), state],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for state in ("open", "closed")
    ]
    for worker in workers:
        assert worker.stdout is not None
        worker.stdout.readline()
    both = workers[0].communicate("", timeout=AT_MOST_S)[0]
    assert 'paretogate_requests_total{door="chat",outcome="ok"} 2.0' in both
    assert 'paretogate_request_duration_seconds_bucket{door="chat",le="0.5"} 2.0' in both
    assert "paretogate_inflight 4.0" in both
    assert 'paretogate_breaker_state{backend="b"} 2.0' in both  # the worse of both
    left = workers[1].communicate("", timeout=AT_MOST_S)[0]
    assert 'paretogate_fallbacks_total{from="a",reason="timeout",to="b"} 2.0' in left
    assert "paretogate_inflight 2.0" in left
