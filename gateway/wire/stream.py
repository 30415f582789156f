"""A backend's streamed answer, read while it passes: Server-Sent Events with OpenAI's chunks.

Source of the format: WHATWG HTML, section 9.2 (events end with a blank line), and OpenAI's `chat.completion.chunk`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from catalog import Usage

from .alike import AlikeChunks
from .usage import read_usage

__all__ = ["ChatStream", "error_event"]

LateFacts = Callable[[Usage | None, str | None], Mapping[str, object]]  # by the counts, and the name answered in

_DONE = b"[DONE]"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_CALLS = b'"tool_calls"'
_MAX_EVENT_BYTES = 16 << 20


class ChatStream:
    """Bytes in, bytes out: chunks pass as they came; only what must change is written anew.

    What must change: the model's name (to the catalog's), token counts that the client did not ask for (hidden), and
    late facts (added to the chunk with the token counts, under `routing`).
    """

    def __init__(
        self,
        *,
        model_id: str,
        wants_usage: bool,
        late_facts: LateFacts | None = None,
        explain: bool = False,
        restore: Callable[[bytes], bytes] | None = None,
    ) -> None:
        """`restore` puts the client's own names of tools into an event."""
        self._restore = restore
        self._model_id, self._wants_usage, self._late_facts, self._explain = model_id, wants_usage, late_facts, explain
        self._held: list[bytes] = []  # of an event that has not ended
        self._held_bytes, self._seam = 0, b""  # the seam: its last bytes, where an end may be cut in two
        self._alike = AlikeChunks()
        self._rename: tuple[bytes, bytes] | None = None
        self._late_facts_sent = False
        self._open_choices: set[int] = set()
        self._saw_choice = False
        self.started = False  # content reached us: from here on, no other backend can take over
        self.done = False  # the end mark came
        self.fault: str | None = None
        self.usage: Usage | None = None
        self.response_id: str | None = None
        self.model_returned: str | None = None
        self.finish_reason: str | None = None
        self.created: object = None
        self.tools_called: list[str] = []

    def has_ended(self) -> bool:
        """Nothing that follows matters."""
        return self.done or self.fault is not None

    def take(self, data: bytes) -> bytes:
        """What the client gets for these bytes. After a malformed event, `fault` says what it was."""
        seam = self._seam + data if self._held else data
        if b"\n\n" not in seam and b"\n\r\n" not in seam:  # a long event is put together once, not at each piece
            self._hold(data)
            return b""
        if self._held:
            data = b"".join([*self._held, data])
            self._held, self._held_bytes, self._seam = [], 0, b""
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n")
        *events, rest = data.split(b"\n\n")
        self._hold(rest)
        if b"\r" in data:  # which alone ends a line, too: what a client would take for an event has to be one here
            events = [each for event in events for each in event.replace(b"\r", b"\n").split(b"\n\n")]
        passed = []
        for event in events:
            if self.has_ended():
                break
            kept = event if self._alike.has(event) else self._take_event(event)
            if kept is not None:
                passed.append(kept)
        if not passed:
            return b""
        passed.append(b"")
        out = b"\n\n".join(passed)
        return out.replace(*self._rename) if self._rename else out

    def finish(self) -> bytes:
        """The stream's last bytes, once the backend has closed it. Without a proper end, `fault` is set.

        An end mark that is missing after every choice has finished is supplied: nothing was lost.
        """
        out = b""
        if any(part.strip() for part in self._held) and not self.done and not self.fault:
            out = self.take(b"\n\n")
        if self.done or self.fault:
            return out
        if self._saw_choice and not self._open_choices:
            self.done = True
            return out + self._late_event() + b"data: [DONE]\n\n"
        self.fault = "ended the stream before the answer was finished"
        return out

    def error_event(self, error: Mapping[str, object]) -> bytes:
        """The in-band error that ends a stream which began well."""
        return error_event(error, response_id=self.response_id, created=self.created, model_id=self._model_id)

    def _hold(self, data: bytes) -> None:
        if not data:
            return
        self._held.append(data)
        self._held_bytes += len(data)
        self._seam = data[-3:] if len(data) >= 3 else (self._seam + data)[-3:]
        if self._held_bytes > _MAX_EVENT_BYTES:
            self.fault = f"sent an event larger than {_MAX_EVENT_BYTES} bytes"

    def _take_event(self, event: bytes) -> bytes | None:
        event = event.removeprefix(_BYTE_ORDER_MARK)  # which one may stand before the first event
        if self._restore is not None and _CALLS in event:
            event = self._restore(event)
        if event.startswith(b"data: ") and b"\n" not in event:
            payload = event[6:]
        else:
            payload = b"\n".join(line[5:].lstrip() for line in event.split(b"\n") if line.startswith(b"data:"))
            if not payload:
                return event if event.strip() else None  # a comment keeps the connection alive
        if payload.strip() == _DONE:
            if not self._saw_choice:
                self.fault = "ended the stream without an answer"
                return None
            self.done = True
            return (self._late_event() or b"") + event
        try:
            chunk = orjson.loads(payload)
        except orjson.JSONDecodeError:
            self.fault = "sent a malformed chunk"
            return None
        if not isinstance(chunk, dict) or chunk.get("error"):
            self.fault = "reported an error in the stream" if isinstance(chunk, dict) else "sent a malformed chunk"
            return None
        return self._take_chunk(event, chunk)

    def _take_chunk(self, event: bytes, chunk: dict[str, Any]) -> bytes | None:
        if self.model_returned is None:
            self._learn_names(event, chunk)
        choices = chunk.get("choices")
        if choices and not self._read_choices(choices):
            return None
        reported = chunk.get("usage")
        if reported is None:
            if choices and self.started:
                self._alike.learn(event, choices)
            return event
        self._alike.forget()
        self.usage = read_usage(reported) or self.usage
        if not self._wants_usage:
            if not choices and not self._explain:
                return None
            chunk.pop("usage")
        if (
            (not choices or self.finish_reason)
            and self._late_facts is not None
            and (self._wants_usage or self._explain)
        ):
            chunk["routing"] = self._late_facts(self.usage, self.model_returned)
            self._late_facts_sent = True
        elif self._wants_usage:
            return event
        return b"data: " + _dump({**chunk, "model": self._model_id})

    def _learn_names(self, event: bytes, chunk: Mapping[str, Any]) -> None:
        model, response_id = chunk.get("model"), chunk.get("id")
        if isinstance(response_id, str) and response_id:
            self.response_id = response_id
        self.created = chunk.get("created")
        if isinstance(model, str) and model:
            self.model_returned = model
            if model != self._model_id:
                colon = b'"model": ' if b'"model": ' in event else b'"model":'
                self._rename = (colon + orjson.dumps(model), colon + orjson.dumps(self._model_id))

    def _read_choices(self, choices: object) -> bool:
        """Whether they were choices at all; if not, `fault` says so."""
        if not isinstance(choices, list) or not all(map(_is_choice, choices)):
            self.fault = "sent a malformed chunk"
            return False
        for choice in choices:
            self._saw_choice = True
            index = choice.get("index", 0)
            if isinstance(finish := choice.get("finish_reason"), str):
                self.finish_reason = finish
                self.started = True
                self._open_choices.discard(index)
                if finish == "error":
                    self.fault = "reported an error in the stream"
            else:
                self._open_choices.add(index)
            self.started = self.started or bool(choice.get("text"))  # a legacy completion's
            delta = choice.get("delta")
            if isinstance(delta, dict):
                self.started = self.started or any(value for key, value in delta.items() if key != "role")
                if delta.get("tool_calls"):
                    self._note_tools(delta["tool_calls"])
        return True

    def _note_tools(self, calls: object) -> None:
        for call in calls if isinstance(calls, list) else ():
            function = call.get("function") if isinstance(call, dict) else None
            name = function.get("name") if isinstance(function, dict) else None
            if isinstance(name, str) and name:
                self.tools_called.append(name)

    def _late_event(self) -> bytes:
        """An event of our own with the late facts, where the caller asked to be told and no chunk could carry them."""
        if not self._explain or self._late_facts_sent or self._late_facts is None:
            return b""
        self._late_facts_sent = True
        chunk = {
            "id": self.response_id,
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self._model_id,
            "choices": [],
            "routing": self._late_facts(self.usage, self.model_returned),
        }
        return b"data: " + _dump(chunk) + b"\n\n"


def _is_choice(choice: object) -> bool:
    """Shaped as every reader after this one relies on."""
    return (
        isinstance(choice, dict)
        and isinstance(choice.get("index", 0), int)
        and isinstance(choice.get("delta"), dict | None)
    )


def error_event(
    error: Mapping[str, object], *, response_id: str | None, created: object, model_id: str | None
) -> bytes:
    """One chunk that carries an error; no end mark follows it."""
    chunk = {
        **error,
        "id": response_id,
        "object": "chat.completion.chunk",
        "created": created,
        "model": model_id,
        "choices": [{"index": 0, "delta": {}, "finish_reason": "error"}],
    }
    return b"data: " + _dump(chunk) + b"\n\n"


def _dump(value: object) -> bytes:
    return orjson.dumps(value, default=str, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
