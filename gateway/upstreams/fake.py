"""A model provider that answers at once, for tests and demonstrations, and that misbehaves on purpose when told to.

    async with FakeProvider() as provider:
        provider.misbehave(Misbehaviour(fault="truncated_stream"), times=1)
        ...  # point a client, or a backend of kind "openai", at provider.url

It listens on the loopback interface and speaks enough of `/v1/chat/completions`, `/v1/completions` and
`/v1/embeddings` for every client we know. What it says are its `words`, or whole messages given to `answer_with`.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from aiohttp import web

__all__ = ["FakeProvider", "Fault", "Misbehaviour"]

Fault = Literal[
    "reset",  # the connection breaks before the first byte
    "status",  # an error status, with Retry-After where given
    "malformed_json",
    "malformed_chunk",  # the second event of a stream is not JSON
    "truncated_stream",  # the connection ends well, the answer does not
    "cut_stream",  # the connection breaks midway
    "wrong_content_type",
    "error_in_200",
    "error_in_stream",  # an error object after the first content
    "slow_first_token",
    "stall",  # silence after the first content
    "empty",
    "oversized",  # more bytes than any answer has
]

_ERROR = {"error": {"message": "as you wish", "type": "server_error", "param": None, "code": "fake"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Misbehaviour:
    """One way to misbehave."""

    fault: Fault
    status: int = 500
    retry_after: str | None = None
    delay_s: float = 30.0  # how slow, or for how long silent
    until: asyncio.Event | None = None  # slow, or silent, until this is set, however long that takes
    size_bytes: int = 80 << 20

    async def wait(self) -> None:
        """For as long as it is slow or silent."""
        await (asyncio.sleep(self.delay_s) if self.until is None else self.until.wait())


class FakeProvider:
    """An OpenAI-compatible server on loopback. Everything it received is in `requests`."""

    paths = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings")
    well_for = 2  # events before what goes wrong midway does: the role and the first word

    def __init__(
        self, *, words: tuple[str, ...] = ("Hello", " from", " a", " fake", " model", "."), port: int = 0
    ) -> None:
        self.words, self.port = words, port
        self.requests: list[dict[str, Any]] = []
        self.request_headers: list[Mapping[str, str]] = []
        self.raw_requests: list[bytes] = []
        self.cancelled = 0  # how many answers a client broke off
        self.usage_in_last_choice = False  # report token counts in a chunk that has choices
        self.usage: Mapping[str, Any] | None = None  # token counts to report instead of those counted
        self.answers_as: str | None = None  # the name of a model to answer in, instead of the one that was asked
        self.done_mark = True
        self.models: list[dict[str, Any]] = [{"id": "fake-model", "object": "model"}]  # what it lists
        self._answers: list[tuple[dict[str, Any], str]] = []
        self._asked = asyncio.Event()
        self._script: list[Misbehaviour] = []
        self._always: dict[str, Misbehaviour] = {}
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where it listens; a backend's base_url."""
        return f"http://127.0.0.1:{self.port}/v1"

    def misbehave(self, how: Misbehaviour, *, times: int = 1) -> None:
        """Let the next requests go wrong."""
        self._script += [how] * times

    def always_misbehave(self, model: str, how: Misbehaviour) -> None:
        """Let every request for a model go wrong."""
        self._always[model] = how

    def answer_with(self, message: Mapping[str, Any], *, finish_reason: str = "stop") -> None:
        """Let the next answer be this message: with calls of tools, reasoning, or words of its own."""
        self._answers.append(({"role": "assistant", "content": None, **message}, finish_reason))

    async def wait_until_asked(self) -> None:
        """Until the first request is here."""
        await self._asked.wait()

    def behave(self) -> None:
        """Forget all misbehaviour."""
        self._script.clear()
        self._always.clear()

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=256 << 20)
        for path in self.paths:
            app.router.add_post(path, self._asked_for_text)
        app.router.add_get("/v1/models", self._models)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _models(self, request: web.Request) -> web.Response:  # noqa: ARG002 - aiohttp's signature
        return web.json_response({"object": "list", "data": self.models})

    async def _asked_for_text(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        body = json.loads(raw)
        self.raw_requests.append(raw)
        self.requests.append(body)
        self._asked.set()
        self.request_headers.append({name.lower(): value for name, value in request.headers.items()})
        how = self._always.get(body["model"]) or (self._script.pop(0) if self._script else None)
        try:
            if how is not None and (early := await self._fail_early(request, how)) is not None:
                return early
            if body.get("stream"):
                return await self._stream(request, body, how)
            return await self._answer(request, body, how)
        except (asyncio.CancelledError, ConnectionResetError):
            self.cancelled += 1
            raise

    async def _fail_early(self, request: web.Request, how: Misbehaviour) -> web.Response | None:
        match how.fault:
            case "reset":
                _break(request)
                return web.Response()
            case "status":
                headers = {"retry-after": how.retry_after} if how.retry_after is not None else {}
                return web.json_response(_ERROR, status=how.status, headers=headers)
            case "wrong_content_type":
                return web.Response(text="<html>busy</html>", content_type="text/html")
            case "error_in_200":
                return web.json_response(_ERROR)
            case "slow_first_token":
                await how.wait()
        return None

    async def _answer(
        self, request: web.Request, body: Mapping[str, Any], how: Misbehaviour | None
    ) -> web.StreamResponse:
        text = json.dumps(self._completion(body))
        match how.fault if how else None:
            case "malformed_json" | "malformed_chunk":
                text = text[: len(text) // 2]
            case "empty":
                text = ""
            case "oversized" if how:
                text = " " * how.size_bytes
            case "truncated_stream" | "cut_stream" | "error_in_stream" | "stall" if how:
                response = web.StreamResponse(
                    headers={"content-type": "application/json", "content-length": str(len(text))}
                )
                await response.prepare(request)
                await response.write(text[:20].encode())
                if how.fault == "stall":
                    await how.wait()
                _break(request)
                return response
        return web.Response(text=text, content_type="application/json")

    async def _stream(
        self, request: web.Request, body: Mapping[str, Any], how: Misbehaviour | None
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        if how is not None and how.fault == "empty":
            return response
        for number, event in enumerate(self._events(body)):
            if number == self.well_for and how is not None and await self._fail_midway(request, response, how):
                return response
            await response.write(event)
        return response

    def _events(self, body: Mapping[str, Any]) -> list[bytes]:
        """A whole answer, event by event as it is streamed."""
        events = [b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in self._chunks(body)]
        return [*events, b"data: [DONE]\n\n"] if self.done_mark else events

    async def _fail_midway(self, request: web.Request, response: web.StreamResponse, how: Misbehaviour) -> bool:
        """After the first `well_for` events; returns whether that was the end of it."""
        match how.fault:
            case "malformed_chunk" | "malformed_json":
                await response.write(b'data: {"choices": [{"del\n\n')
            case "error_in_stream":
                await response.write(b"data: " + json.dumps(_ERROR).encode() + b"\n\n")
            case "cut_stream":
                _break(request)
            case "oversized":
                await response.write(b"data: " + b"x" * how.size_bytes)
            case "stall":
                await how.wait()
                return False
            case "truncated_stream":
                return True
            case _:
                return False
        return True

    def _completion(self, body: Mapping[str, Any]) -> dict[str, Any]:
        if "input" in body:
            return self._vectors(body)
        message, finish = self._next_answer()
        choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": finish}
        if "prompt" in body:
            choice = {"index": 0, "text": message["content"], "logprobs": None, "finish_reason": finish}
        return {**self._head(body), "choices": [choice], "usage": self._usage(body)}

    def _chunks(self, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        head = self._head(body, chunk=True)
        message, finish = self._next_answer()
        words = self.words if message["content"] == "".join(self.words) else (message["content"] or "",)

        def chunk(delta: Mapping[str, Any], finish: str | None = None) -> dict[str, Any]:
            if "prompt" in body:
                return {**head, "choices": [{"index": 0, "text": delta.get("content", ""), "finish_reason": finish}]}
            return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

        chunks = [chunk({"role": "assistant", "content": ""})]
        if thought := message.get("reasoning_content"):
            chunks.append(chunk({"reasoning_content": thought}))
        chunks += [chunk({"content": word}) for word in words if word]
        for index, call in enumerate(message.get("tool_calls") or ()):
            chunks += [chunk({"tool_calls": [delta]}) for delta in _call_deltas(index, call)]
        chunks.append(chunk({}, finish))
        if (body.get("stream_options") or {}).get("include_usage"):
            usage = self._usage(body)
            if self.usage_in_last_choice:
                chunks[-1]["usage"] = usage
            else:
                chunks.append({**head, "choices": [], "usage": usage})
        return chunks

    def _head(self, body: Mapping[str, Any], *, chunk: bool = False) -> dict[str, Any]:
        kind = "text_completion" if "prompt" in body else "chat.completion.chunk" if chunk else "chat.completion"
        model = self.answers_as or body["model"]
        return {"id": "chatcmpl-fake", "object": kind, "created": 1_700_000_000, "model": model}

    def _next_answer(self) -> tuple[dict[str, Any], str]:
        return (
            self._answers.pop(0) if self._answers else ({"role": "assistant", "content": "".join(self.words)}, "stop")
        )

    def _vectors(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """One vector per text: its length, and how many words it has."""
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        vectors = [[float(len(text)), float(len(text.split()))] for text in texts]
        data = [{"object": "embedding", "index": i, "embedding": vector} for i, vector in enumerate(vectors)]
        usage = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
        return {"object": "list", "model": body["model"], "data": data, "usage": usage}

    def _usage(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Ten tokens in per message, one out per word."""
        if self.usage is not None:
            return dict(self.usage)
        prompt, completion = 10 * len(body.get("messages", "1")), len(self.words)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": 4},
        }


def _call_deltas(index: int, call: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A call as servers stream it: its name, then its arguments in two halves."""
    arguments = call["function"]["arguments"]
    half = len(arguments) // 2
    named = {"index": index, **call, "function": {**call["function"], "arguments": ""}}
    return [named, *({"index": index, "function": {"arguments": a}} for a in (arguments[:half], arguments[half:]) if a)]


def _break(request: web.Request) -> None:
    """End the connection with a reset, in the middle of whatever was being said."""
    if request.transport is not None:
        request.transport.abort()
