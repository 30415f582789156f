"""A chat answer as a sequence of pieces, one after the other: reasoning, text, refusals and tool calls.

Chat deltas may mix them; the other protocols stream one block at a time. A piece that comes while a tool call is being
written waits until that is complete.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from .reasoning_signatures import seal, seal_of_call

__all__ = ["ChunkReader", "Piece", "PieceSequence", "Step", "pieces_of"]

Kind = Literal["reasoning", "text", "refusal", "tool"]
# DeepSeek's and vLLM's older name, and OpenRouter's and vLLM's newer.
_REASONING_FIELDS = ("reasoning_content", "reasoning")


@dataclass(slots=True, kw_only=True)
class Piece:
    """One block of an answer, growing."""

    kind: Kind
    index: int  # its place in the answer
    parts: list[str] = field(default_factory=list)
    call_id: str = ""  # of a tool call
    name: str = ""  # of the tool
    signature: str = ""  # of reasoning
    redacted: str | None = None  # of reasoning that only its author can read
    logprobs: list[Any] = field(default_factory=list)
    complete: bool = False  # what follows begins a piece of its own

    @property
    def text(self) -> str:
        """All of it so far."""
        return "".join(self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A piece begins, grows by a text, or is complete."""

    act: Literal["open", "add", "close"]
    piece: Piece
    text: str = ""
    logprobs: tuple[Any, ...] = ()  # of this text


class PieceSequence:
    """Takes deltas of one choice; gives steps in which never more than one piece is open."""

    def __init__(self, *, author: str) -> None:
        """`author` is the maker of the model, who may have its reasoning back later."""
        self._author = author
        self.pieces: list[Piece] = []
        self._open: Piece | None = None
        self._waiting: list[Piece] = []
        self._tools: dict[object, Piece] = {}

    def take(self, delta: object, *, logprobs: object = None) -> list[Step]:
        """What a delta, or a whole message, adds."""
        if not isinstance(delta, Mapping):
            return []
        steps: list[Step] = []
        texts = (delta.get(name) for name in _REASONING_FIELDS)
        thought = next((text for text in texts if isinstance(text, str) and text), "")
        blocks = _objects(delta.get("thinking_blocks"))
        if thought and not any(block.get("thinking") for block in blocks):
            steps += self._grow("reasoning", thought)
        for block in blocks:
            steps += self._think(block)
        if isinstance(text := delta.get("content"), str) and text:
            steps += self._grow("text", text, tuple(_logprobs(logprobs)))
        elif isinstance(text, list):
            for part in _objects(text):
                steps += self._grow("text", str(part.get("text") or ""))
        if isinstance(refusal := delta.get("refusal"), str) and refusal:
            steps += self._grow("refusal", refusal)
        for position, call in enumerate(_objects(delta.get("tool_calls"))):
            index = call.get("index")
            steps += self._call(call, index if isinstance(index, int) else position)
        return steps

    def finish(self) -> list[Step]:
        """Complete what is open, then what had to wait."""
        steps = self._close()
        for piece in self._waiting:
            piece.index = len(self.pieces)
            self.pieces.append(piece)
            steps.append(Step(act="open", piece=piece))
            if piece.text:
                steps.append(Step(act="add", piece=piece, text=piece.text, logprobs=tuple(piece.logprobs)))
            steps.append(Step(act="close", piece=piece))
        self._waiting.clear()
        return steps

    def _grow(self, kind: Kind, text: str, logprobs: tuple[Any, ...] = ()) -> list[Step]:
        last = self._waiting[-1] if self._waiting else self._open
        steps: list[Step] = []
        if last is None or last.kind != kind or last.complete:
            last = Piece(kind=kind, index=0, signature=seal(self._author) if kind == "reasoning" else "")
            steps = self._begin(last)
        return steps + self._add(last, text, logprobs)

    def _think(self, block: Mapping[str, Any]) -> list[Step]:
        """Anthropic's blocks, as litellm passes them on: text and signature may come apart."""
        if block.get("type") == "redacted_thinking":
            redacted = str(block.get("data") or "")
            return self._begin(Piece(kind="reasoning", index=0, redacted=redacted, complete=True))
        steps = self._grow("reasoning", str(block["thinking"])) if block.get("thinking") else []
        signature = block.get("signature")
        if isinstance(signature, str) and signature:
            last = self._waiting[-1] if self._waiting else self._open
            if last is None or last.kind != "reasoning" or last.complete:  # signed, but not told
                last = Piece(kind="reasoning", index=0)
                steps += self._begin(last)
            last.signature, last.complete = signature, True
        return steps

    def _call(self, call: Mapping[str, Any], key: object) -> list[Step]:
        function = call.get("function")
        function = function if isinstance(function, Mapping) else {}
        steps: list[Step] = []
        piece, name, call_id = self._tools.get(key), _text(function.get("name")), _text(call.get("id"))
        if piece is None or (name and call_id not in ("", piece.call_id)):  # Gemini counts no calls: all have index 0
            piece = Piece(kind="tool", index=0, name=name, call_id=call_id)
            if not piece.call_id:
                piece.call_id = f"call_{len(self._tools)}"
            self._tools[key] = piece
            steps += self._signed(call, piece.call_id) + self._begin(piece)
        else:
            steps += self._signed(call, piece.call_id)
        if arguments := _arguments(function.get("arguments")):
            steps += self._add(piece, arguments)
        return steps

    def _signed(self, call: Mapping[str, Any], call_id: str) -> list[Step]:
        """The signature of a call, in a piece of its own."""
        mark = seal_of_call(self._author, call, call_id)
        return [] if mark is None else self._begin(Piece(kind="reasoning", index=0, redacted=mark, complete=True))

    def _begin(self, piece: Piece) -> list[Step]:
        """Open a piece, or let it wait for a tool call that is still being written."""
        if self._open is not None and self._open.kind == "tool":
            self._waiting.append(piece)
            return []
        steps = self._close()
        piece.index = len(self.pieces)
        self.pieces.append(piece)
        self._open = piece
        return [*steps, Step(act="open", piece=piece)]

    def _add(self, piece: Piece, text: str, logprobs: tuple[Any, ...] = ()) -> list[Step]:
        piece.parts.append(text)
        piece.logprobs += logprobs
        return [Step(act="add", piece=piece, text=text, logprobs=logprobs)] if piece is self._open else []

    def _close(self) -> list[Step]:
        piece, self._open = self._open, None
        return [Step(act="close", piece=piece)] if piece is not None else []


class ChunkReader:
    """Chat's Server-Sent Events, as `ChatStream` passes them on: checked already, and never in halves."""

    def take(self, data: bytes) -> Iterator[dict[str, Any] | Literal["comment", "done"]]:
        """Each event's meaning."""
        for event in data.split(b"\n\n"):
            if not event:
                continue
            payload = b"\n".join(line[5:].lstrip() for line in event.split(b"\n") if line.startswith(b"data:"))
            if not payload:
                yield "comment"
            elif payload.strip() == b"[DONE]":
                yield "done"
            else:
                chunk: dict[str, Any] = orjson.loads(payload)
                yield chunk


def pieces_of(message: object, *, author: str, logprobs: object = None) -> list[Piece]:
    """The pieces of a whole answer."""
    sequence = PieceSequence(author=author)
    sequence.take(message, logprobs=logprobs)
    sequence.finish()
    return sequence.pieces


def _objects(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _logprobs(value: object) -> list[Any]:
    content = value.get("content") if isinstance(value, Mapping) else None
    return content if isinstance(content, list) else []


def _arguments(value: object) -> str:
    """Arguments as text: some servers send them parsed."""
    if isinstance(value, str):
        return value
    return orjson.dumps(value).decode() if isinstance(value, Mapping) else ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
