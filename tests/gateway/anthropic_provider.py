"""Anthropic itself on loopback, as far as its own client library can tell: it answers at once, or as it is told to."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from catalog import Backend, ModelProfile, Pool, PoolEntry, Price
from gateway.serving import Serving
from gateway.upstreams.fake import FakeProvider, Misbehaviour
from router import FixedForecasts, Router, forecast_of
from tests.gateway.running import RunningGateway, backend, running

__all__ = ["FakeAnthropic", "before_anthropic", "claude", "serve_claude", "text_block"]

COUNTS = {"input_tokens": 10, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 0}


class FakeAnthropic(FakeProvider):
    """Says `blocks`, and keeps what it was asked like any `FakeProvider`."""

    paths = ("/v1/messages", "/v1/messages/count_tokens")
    well_for = 4  # the start, a ping, the opening of a block and its first words

    def __init__(self, *, words: tuple[str, ...] = ("Hello", " there")) -> None:
        super().__init__(words=words)
        self.blocks: list[dict[str, Any]] = []  # instead of its words
        self.stop_reason = "end_turn"
        self.stop_sequence: str | None = None
        self.counts: Mapping[str, Any] = COUNTS
        self.last_counts: Mapping[str, Any] = {}  # more of them, at the end of a stream
        self.end_mark = True
        self.refuse_with: str | None = None  # say this with a 400

    async def _models(self, request: web.Request) -> web.Response:
        if request.headers.get("x-api-key") != "sk-ant-test" or "anthropic-version" not in request.headers:
            return web.json_response({"type": "error"}, status=401)
        return await super()._models(request)

    async def _answer(
        self, request: web.Request, body: Mapping[str, Any], how: Misbehaviour | None
    ) -> web.StreamResponse:
        if self.refuse_with is not None:
            error = {"type": "invalid_request_error", "message": self.refuse_with}
            return web.json_response({"type": "error", "error": error}, status=400)
        if request.path.endswith("/count_tokens"):
            return web.json_response({"input_tokens": 1_234})
        return await super()._answer(request, body, how)

    def _events(self, body: Mapping[str, Any]) -> list[bytes]:
        return [b"event: %b\ndata: %b\n\n" % (each["type"].encode(), orjson.dumps(each)) for each in self.events(body)]

    async def _fail_midway(self, request: web.Request, response: web.StreamResponse, how: Misbehaviour) -> bool:
        if how.fault != "error_in_stream":
            return await super()._fail_midway(request, response, how)
        error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
        await response.write(b"event: error\ndata: " + orjson.dumps(error) + b"\n\n")
        return True

    def _completion(self, body: Mapping[str, Any]) -> dict[str, Any]:
        content = self.blocks or [text_block("".join(self.words))]
        return {**self._head(body), "content": content, **self._stops(), "usage": self._counted()}

    def events(self, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        """A whole answer as it is streamed."""
        start = {**self._head(body), "content": [], "stop_reason": None, "stop_sequence": None}
        events: list[dict[str, Any]] = [
            {"type": "message_start", "message": {**start, "usage": {**self.counts, "output_tokens": 1}}},
            {"type": "ping"},
        ]
        for index, block in enumerate(self.blocks or [text_block("")]):
            opened, deltas = _streamed(block, words=() if self.blocks else self.words)
            events.append({"type": "content_block_start", "index": index, "content_block": opened})
            events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
            events.append({"type": "content_block_stop", "index": index})
        counts = {"output_tokens": len(self.words), **self.last_counts}
        events.append({"type": "message_delta", "delta": self._stops(), "usage": counts})
        return [*events, {"type": "message_stop"}] if self.end_mark else events

    def _head(self, body: Mapping[str, Any], *, chunk: bool = False) -> dict[str, Any]:
        model = self.answers_as or body["model"]
        return {"id": "msg_fake", "type": "message", "role": "assistant", "model": model}

    def _stops(self) -> dict[str, Any]:
        return {"stop_reason": self.stop_reason, "stop_sequence": self.stop_sequence}

    def _counted(self) -> dict[str, Any]:
        return {**self.counts, "output_tokens": len(self.words), **self.last_counts}


def _streamed(block: Mapping[str, Any], *, words: tuple[str, ...]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A block as it opens, and what is then added to it."""
    match block["type"]:
        case "text":
            texts = words or (block["text"],)
            return {"type": "text", "text": ""}, [{"type": "text_delta", "text": text} for text in texts]
        case "thinking":
            told = {"type": "thinking_delta", "thinking": block["thinking"]}
            signed = {"type": "signature_delta", "signature": block["signature"]}
            return {"type": "thinking", "thinking": "", "signature": ""}, [told, signed]
        case "tool_use" | "server_tool_use":
            text = orjson.dumps(block["input"]).decode()
            halves = (text[: len(text) // 2], text[len(text) // 2 :])
            return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": half} for half in halves]
    return dict(block), []


def text_block(text: str) -> dict[str, Any]:
    """A block of text, as an answer has it."""
    return {"type": "text", "text": text, "citations": None}


def claude(url: str, **more: Any) -> Backend:
    """A backend of kind `anthropic`: $3 and $15, $0.3 from the cache and $3.75 into it, per million tokens."""
    price = Price(
        input_usd_per_mtok=Decimal(3),
        output_usd_per_mtok=Decimal(15),
        cached_input_usd_per_mtok=Decimal("0.3"),
        cache_write_usd_per_mtok=Decimal("3.75"),
    )
    named = {"id": "claude", "profile_id": "anthropic/claude-sonnet-4.5", "model_name": "claude-sonnet-4-5"}
    return replace(backend("strong", url), kind="anthropic", provider="anthropic", price=price, **named, **more)


def serve_claude(backends: tuple[Backend, ...], *, also: tuple[str, ...] = ()) -> Serving:
    """Able models, the first of which is the best."""
    able = frozenset({"streaming", "tools", "vision", "reasoning", "json_schema"})
    pool = Pool(
        [PoolEntry(profile=ModelProfile(id=b.profile_id, name=b.id, capabilities=able), backend=b) for b in backends]
    )
    quality = [0.9 - 0.1 * place for place in range(len(backends))]
    forecast = forecast_of(pool, quality=quality, cost_usd=0.01, latency_s=1.0, ttft_s=0.5, output_tokens=10.0)
    source = FixedForecasts(pool=pool, fixed=forecast)
    router = Router(source, explore=0.0)
    return Serving.of(source=source, router=router, policies=frozenset({"best"}), versions={"catalog": "test"})


@asynccontextmanager
async def before_anthropic(
    tmp_path: Path, *others: Backend, others_first: bool = False, **more: Any
) -> AsyncIterator[tuple[RunningGateway, FakeAnthropic]]:
    """A gateway before Anthropic, and before other backends that are worse, or better."""
    async with FakeAnthropic() as provider:
        own = claude(provider.url)
        backends = (*others, own) if others_first else (own, *others)
        keys = {"claude": "sk-ant-test"}
        async with running(*backends, tmp_path=tmp_path, make_serving=serve_claude, api_keys=keys, **more) as gateway:
            yield gateway, provider
