"""OpenAI itself on loopback, as far as its own client library can tell: it speaks Responses, too."""

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from gateway.upstreams.fake import FakeProvider, Misbehaviour

__all__ = ["FakeOpenAI"]

_FAILED = {"code": "server_error", "message": "try again"}


class FakeOpenAI(FakeProvider):
    """Answers a Responses request with `items`, and keeps what it was asked like any `FakeProvider`."""

    paths = (*FakeProvider.paths, "/v1/responses")

    def __init__(self, *, words: tuple[str, ...] = ("Hello", " there")) -> None:
        super().__init__(words=words)
        self.asked_at: list[str] = []
        self.items: list[dict[str, Any]] = [
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
            {
                "type": "web_search_call",
                "id": "ws_1",
                "status": "completed",
                "action": {"type": "search", "query": "x"},
            },
            {"type": "web_search_call", "id": "ws_2", "status": "completed", "action": {"type": "open_page"}},
        ]
        self.status = "completed"

    async def _asked_for_text(self, request: web.Request) -> web.StreamResponse:
        self.asked_at.append(request.path)
        return await super()._asked_for_text(request)

    def _completion(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return self._response(body) if self.asked_at[-1] == "/v1/responses" else super()._completion(body)

    async def _stream(
        self, request: web.Request, body: Mapping[str, Any], how: Misbehaviour | None
    ) -> web.StreamResponse:
        if request.path != "/v1/responses":
            return await super()._stream(request, body, how)
        response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        events = self.events(body)
        if how is not None and how.fault == "error_in_stream":
            failed = {**self._response(body), "status": "failed", "error": _FAILED}
            events[4:] = [{"type": "response.failed", "response": failed}]
        if how is not None and how.fault == "truncated_stream":
            del events[4:]
        for number, told in enumerate(events):
            if number == 4 and how is not None and how.fault == "stall":
                await how.wait()
            event = {**told, "sequence_number": number}
            await response.write(f"event: {told['type']}\ndata: {json.dumps(event)}\n\n".encode())
        return response

    def events(self, body: Mapping[str, Any]) -> list[dict[str, Any]]:
        """A whole answer as it is streamed."""
        whole = self._response(body)
        begun = {**whole, "status": "in_progress", "output": [], "usage": None}
        events: list[dict[str, Any]] = [
            {"type": kind, "response": begun} for kind in ("response.created", "response.in_progress")
        ]
        for index, item in enumerate(whole["output"]):
            at = {"output_index": index}
            events.append({"type": "response.output_item.added", **at, "item": {**item, "content": []}})
            if item["type"] == "message":
                at |= {"item_id": item["id"], "content_index": 0}
                (said,) = item["content"]
                events.append({"type": "response.content_part.added", **at, "part": {**said, "text": ""}})
                events += [
                    {"type": "response.output_text.delta", **at, "delta": word, "logprobs": []} for word in self.words
                ]
                events.append({"type": "response.output_text.done", **at, "text": said["text"], "logprobs": []})
                events.append({"type": "response.content_part.done", **at, "part": said})
            events.append({"type": "response.output_item.done", "output_index": index, "item": item})
        return [*events, {"type": f"response.{self.status}", "response": whole}]

    def _response(self, body: Mapping[str, Any]) -> dict[str, Any]:
        said = {"type": "output_text", "text": "".join(self.words), "annotations": [], "logprobs": []}
        message = {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [said]}
        return {
            "id": "resp_of_openai",
            "object": "response",
            "created_at": 1_700_000_000,
            "status": self.status,
            "error": None,
            "incomplete_details": {"reason": "max_output_tokens"} if self.status == "incomplete" else None,
            "model": self.answers_as or body["model"],
            "output": [*self.items, message],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": body.get("tools") or [],
            "usage": {
                "input_tokens": 100,
                "input_tokens_details": {"cached_tokens": 40},
                "output_tokens": 20,
                "output_tokens_details": {"reasoning_tokens": 8},
                "total_tokens": 120,
            },
        }
