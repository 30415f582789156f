"""Placeholders back to values in an answer, also where a stream cuts a placeholder in two."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from gateway.wire.answer import ChatAnswer, read_answer

from .redaction import Redaction

__all__ = ["StreamRestorer", "restored_answer"]

_DONE = b"data: [DONE]"
_TEXTS = ("content", "text", "refusal")  # reasoning stays as its author wrote it
Place = tuple[object, ...]  # which text a delta continues: index of the choice, field, index of the tool call


def restored_answer(answer: ChatAnswer, redaction: Redaction, *, backend_id: str) -> ChatAnswer:
    """A whole answer with the caller's own data in it."""
    body = orjson.loads(answer.raw)
    for choice in body["choices"]:
        for holder in (choice, choice.get("message")):
            if isinstance(holder, dict):
                _restore_whole(holder, redaction)
    return replace(read_answer(orjson.dumps(body), backend_id=backend_id), response_id=answer.response_id)


def _restore_whole(holder: dict[str, Any], redaction: Redaction) -> None:
    for name in _TEXTS:
        if isinstance(text := holder.get(name), str):
            holder[name] = redaction.restored(text)
    for function in _functions(holder):
        if isinstance(arguments := function.get("arguments"), str):
            function["arguments"] = redaction.restored(arguments, in_json=True)


def _functions(holder: Mapping[str, Any]) -> list[dict[str, Any]]:
    calls = holder.get("tool_calls")
    found = [call.get("function") for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    return [function for function in (*found, holder.get("function_call")) if isinstance(function, dict)]


class StreamRestorer:
    """Whole chat events in, whole chat events out; holds back what may be the beginning of a placeholder."""

    def __init__(self, redaction: Redaction) -> None:
        self._redaction, self._names = redaction, sorted(redaction.placeholders)
        self._longest = max(map(len, self._names), default=0)
        self._held: dict[Place, str] = {}
        self._last: dict[str, Any] = {}

    def take(self, events: bytes) -> bytes:
        """These events with values for placeholders."""
        return b"".join(self._event(event) for event in events.split(b"\n\n") if event)

    def _event(self, event: bytes) -> bytes:
        if event.startswith(_DONE):
            return self._rest() + event + b"\n\n"
        if not event.startswith(b"data: "):
            return event + b"\n\n"
        try:
            chunk = orjson.loads(event[6:])
        except orjson.JSONDecodeError:  # an event of several lines: no server we know of sends them
            return event + b"\n\n"
        choices = chunk.get("choices")
        if not choices:
            return self._rest() + event + b"\n\n"
        self._last = chunk
        for choice in choices:
            index, ends = choice.get("index", 0), choice.get("finish_reason") is not None
            for holder in (choice, choice.get("delta")):
                if isinstance(holder, dict):
                    self._restore(holder, index)
            if ends:
                self._flush(choice, index)
        return b"data: " + orjson.dumps(chunk) + b"\n\n"

    def _restore(self, holder: dict[str, Any], index: object) -> None:
        for name in _TEXTS:
            if isinstance(text := holder.get(name), str):
                holder[name] = self._next((index, name), text, in_json=False)
        for call in holder.get("tool_calls") or ():
            function = call.get("function") if isinstance(call, dict) else None
            if isinstance(function, dict) and isinstance(arguments := function.get("arguments"), str):
                place = (index, "tool_calls", call.get("index", 0))
                function["arguments"] = self._next(place, arguments, in_json=True)

    def _next(self, place: Place, text: str, *, in_json: bool) -> str:
        """What may go out by now: all but an ending from which a placeholder could still come."""
        text = self._held.pop(place, "") + text
        opening = text.rfind("[", max(0, len(text) - self._longest + 1)) if self._longest else -1
        if opening >= 0 and self._may_go_on(text[opening:]):
            self._held[place], text = text[opening:], text[:opening]
        return self._redaction.restored(text, in_json=in_json)

    def _may_go_on(self, beginning: str) -> bool:
        at = bisect_left(self._names, beginning)  # a name that begins so is the next one, or the same
        return at < len(self._names) and self._names[at] != beginning and self._names[at].startswith(beginning)

    def _flush(self, choice: dict[str, Any], index: object) -> None:
        """What was held back turned out to be no placeholder: it goes out with the end of its choice."""
        for place in [place for place in self._held if place[0] == index]:
            self._put(choice, place, self._held.pop(place))

    @staticmethod
    def _put(choice: dict[str, Any], place: Place, text: str) -> None:
        if place[1] == "text":
            choice["text"] = (choice.get("text") or "") + text
            return
        delta = choice["delta"] = choice.get("delta") or {}
        if place[1] != "tool_calls":
            delta[place[1]] = (delta.get(place[1]) or "") + text
            return
        calls = delta["tool_calls"] = delta.get("tool_calls") or []
        same = next((call for call in calls if call.get("index", 0) == place[2]), None)
        if same is None:
            calls.append({"index": place[2], "function": {"arguments": text}})
        else:
            same["function"]["arguments"] = same["function"].get("arguments", "") + text

    def _rest(self) -> bytes:
        """An event of our own for what is still held when the stream ends without ending its choices."""
        if not self._held:
            return b""
        choices = []
        for index in dict.fromkeys(place[0] for place in self._held):
            choice: dict[str, Any] = {"index": index, "finish_reason": None}
            self._flush(choice, index)
            choices.append(choice)
        return b"data: " + orjson.dumps({**self._last, "choices": choices}) + b"\n\n"
