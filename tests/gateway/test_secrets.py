"""What is planted in a request, a key, a header, a tool or a backend's error is in no log, metric, trace or journal."""

import io
import json
import logging
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from gateway.journal import SqliteJournal
from gateway.journal.prompts import PromptKeeping
from gateway.telemetry import configure_logging
from gateway.tracing.spans import OtlpTracing
from gateway.upstreams.fake import FakeProvider, Misbehaviour
from tests.gateway.running import STRONG, RunningGateway, backend, running

pytestmark = pytest.mark.loopback

PLANTED = "zanzibar7391"  # in everything that must not get out
KEY = f"sk-{PLANTED}-of-the-backend"
TOOL = {
    "type": "function",
    "function": {
        "name": "lookup",
        "description": f"finds {PLANTED}",
        "parameters": {"type": "object", "properties": {"who": {"type": "string", "default": PLANTED}}},
    },
}
HISTORY = [
    {"role": "system", "content": f"You guard {PLANTED}."},
    {"role": "user", "content": f"My name is {PLANTED} and my mail is {PLANTED}@example.org."},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "lookup", "arguments": f'{{"who": "{PLANTED}"}}'}}
        ],
    },
    {"role": "tool", "tool_call_id": "c1", "content": f"{PLANTED} was found"},
]
HEADERS = {"authorization": f"Bearer sk-{PLANTED}-of-the-client", "cookie": f"id={PLANTED}", "x-secret": PLANTED}


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Everything that is logged, by us and by the libraries, down to the least."""
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    configure_logging(level="debug", style="json")
    structlog.configure(cache_logger_on_first_use=False)
    for module in [module for name, module in sys.modules.items() if name.startswith("gateway.")]:
        vars(getattr(module, "log", None) or structlog.get_logger()).pop("bind", None)  # it remembers an earlier stderr
    handler, root = logging.StreamHandler(said), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield said
    root.removeHandler(handler)
    root.setLevel(level)
    structlog.reset_defaults()


def heard() -> tuple[OtlpTracing, InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return OtlpTracing(traces=provider), exporter


def written(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


async def ask(gateway: RunningGateway, path: str, body: Mapping[str, Any]) -> None:
    await gateway.client.post(path, json=body, headers=HEADERS)


async def everything_that_goes_well_or_wrong(gateway: RunningGateway, provider: FakeProvider) -> None:
    """Each door and each way to fail that could quote what was said."""
    chat = {"model": "auto", "messages": HISTORY, "tools": [TOOL]}
    await ask(gateway, "/v1/chat/completions", chat)
    await ask(gateway, "/v1/chat/completions", {**chat, "stream": True})
    await ask(gateway, "/v1/messages", {"model": "auto", "max_tokens": 9, "messages": [HISTORY[1]]})
    await ask(gateway, "/v1/responses", {"model": "auto", "input": f"tell {PLANTED}"})
    await ask(gateway, "/v1/chat/completions", {**chat, "messages": [{"role": PLANTED, "content": PLANTED}]})
    await ask(gateway, "/v1/chat/completions", {**chat, "routing": {"policy": PLANTED}})
    for fault in ("status", "error_in_200", "error_in_stream", "malformed_json", "cut_stream", "wrong_content_type"):
        for stream in (False, True):
            provider.misbehave(Misbehaviour(fault=fault, status=400 if stream else 500), times=4)
            await ask(gateway, "/v1/chat/completions", {**chat, "stream": stream})
            provider.behave()
            await ask(gateway, "/v1/chat/completions", chat)  # lest the breaker opens


@pytest.mark.parametrize("prompts", ["off", "hash"])
async def test_what_is_planted_comes_out_nowhere(
    tmp_path: Path, logged: io.StringIO, monkeypatch: pytest.MonkeyPatch, prompts: PromptKeeping
) -> None:
    said_upstream = {"error": {"message": f"about {PLANTED}: no", "type": PLANTED, "code": PLANTED}}
    monkeypatch.setattr("gateway.upstreams.fake._ERROR", said_upstream)
    can_call_tools = replace(STRONG, capabilities=frozenset({"streaming", "tools"}))
    monkeypatch.setattr("tests.gateway.running.STRONG", can_call_tools)
    tracing, spans = heard()
    journal = SqliteJournal(tmp_path / "journal.sqlite3", prompts=prompts)
    async with (
        FakeProvider() as provider,
        running(
            backend("strong", provider.url),
            tmp_path=tmp_path,
            journal=journal,
            tracing=tracing,
            api_keys={"strong": KEY},
        ) as gateway,
    ):
        await everything_that_goes_well_or_wrong(gateway, provider)
        assert provider.request_headers[0]["authorization"] == f"Bearer {KEY}"  # the right one did get it
        metrics = (await gateway.client.get("/metrics")).text
    traces = "".join(span.to_json() for span in spans.get_finished_spans())
    kept = written(tmp_path)
    assert "request_failed" in logged.getvalue()
    assert '"paretogate.decision.chosen": "maker/strong"' in traces
    assert b"dec_" in kept
    assert "paretogate_requests_total" in metrics
    for name, text in {"log": logged.getvalue(), "metrics": metrics, "traces": traces}.items():
        assert PLANTED not in text, name
    assert PLANTED.encode() not in kept


async def test_a_crash_tells_where_and_not_what(
    tmp_path: Path, logged: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError(f"as libraries do, quoting {PLANTED}")

    monkeypatch.setattr("gateway.dispatch.dispatcher.read_query", broken)
    once = {"server": {"rehearse_ms": 0}}
    async with (
        FakeProvider() as provider,
        running(backend("strong", provider.url), tmp_path=tmp_path, settings=once) as gateway,
    ):
        answer = await gateway.chat()
    (event,) = [json.loads(line) for line in logged.getvalue().splitlines() if "request_crashed" in line]
    assert answer.status_code == 500
    assert "dispatcher.py" in event["exception"]
    assert event["exception"].endswith("KeyError")
    assert PLANTED not in logged.getvalue() + answer.text
