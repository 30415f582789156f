"""The legacy completions, a prompt to continue: passed through where spoken, asked as a chat elsewhere."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from catalog import CONTINUED_PROMPTS, ECHOED_PROMPTS, FILLED_PROMPTS, PoolEntry
from gateway.errors import ErrorReply, InvalidRequestError, openai_error

from .answer import ChatAnswer
from .body import ChatRequest, read_chat, read_object
from .compatibility import adapted_fields
from .dialect import Answering
from .fields import refuse
from .pieces import ChunkReader

__all__ = ["CompletionRequest", "CompletionsStream", "completion_of", "read_completions"]

_ONLY_WHERE_SPOKEN: Mapping[str, object] = {  # and the value of each that asks for nothing
    "best_of": 1,
    "echo": False,
    "logprobs": None,
    "suffix": None,
}
_NEEDED: Mapping[str, str] = {  # to do as it asks
    "best_of": ECHOED_PROMPTS,
    "echo": ECHOED_PROMPTS,
    "logprobs": CONTINUED_PROMPTS,
    "suffix": FILLED_PROMPTS,
}
_RAREST_FIRST = (ECHOED_PROMPTS, FILLED_PROMPTS, CONTINUED_PROMPTS)  # who has one has those behind it
_OWN_PATH = "/completions"
_REMEDY = "the backend that was chosen answers chats only; leave it out, or name a model on vLLM or llama.cpp"
_PASSED_OVER = "the backend that was chosen would pass over it; leave it out, or name a model on vLLM"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest(ChatRequest):
    """What a client asked of `/v1/completions`."""

    @property
    def protocol(self) -> str | None:
        """See `ChatRequest.protocol`; where no such backend is, the one that is chosen says what it cannot do."""
        needed = {_NEEDED[name] for name in self._beyond_chats()}
        if not isinstance(_single(self.body["prompt"]), str):
            needed.add(CONTINUED_PROMPTS)
        return next((ability for ability in _RAREST_FIRST if ability in needed), None)

    def _beyond_chats(self) -> Iterator[str]:
        """What it asks for that chats have no word for."""
        for name, nothing in _ONLY_WHERE_SPOKEN.items():
            asked = self.body.get(name)
            if asked is not None and (type(asked), asked) != (type(nothing), nothing):  # for True == 1, and 0 == False
                yield name

    def _refuse_what_is_passed_over(self, recipient: PoolEntry, without: Collection[str]) -> None:
        abilities = frozenset[str]() if recipient.backend is None else recipient.backend.abilities
        for name in self._beyond_chats():
            if name not in without and _NEEDED[name] not in abilities:
                refuse(name, _PASSED_OVER)

    def path(self, recipient: PoolEntry, *, changed: bool = False) -> str:  # noqa: ARG002 - chat's
        """Where this backend is asked, below its base URL."""
        return _OWN_PATH if _speaks(recipient) else "/chat/completions"

    def id_prefix(self, path: str) -> str | None:
        """See `ChatRequest.id_prefix`."""
        return None if path == _OWN_PATH else "cmpl-"

    def for_backend(
        self,
        model_name: str,
        *,
        without: Collection[str] = (),
        replacing: Mapping[str, object] | None = None,
        recipient: PoolEntry | None = None,
    ) -> bytes:
        """The bytes that a backend gets; see `ChatRequest.for_backend`.

        Raises:
            InvalidRequestError: only a server that continues prompts could do this, and the chosen one does not, or
                passes over it.
        """
        if recipient is not None and _speaks(recipient):
            self._refuse_what_is_passed_over(recipient, without)
            return ChatRequest.for_backend(self, model_name, without=without, replacing=replacing)
        kept = {key: value for key, value in self.body.items() if key not in without and value is not None}
        bare = {**kept, **(replacing or {})}
        body = {**bare, "model": model_name, "messages": _as_chat(bare["prompt"])}
        del body["prompt"]
        if (beyond := next((name for name in self._beyond_chats() if name in body), None)) is not None:
            refuse(beyond, _REMEDY)
        body = {key: value for key, value in body.items() if key not in _ONLY_WHERE_SPOKEN}
        body |= adapted_fields(body, recipient, asked_for=self.model)
        if self.stream:
            body["stream_options"] = {"include_usage": True}
        return orjson.dumps({key: value for key, value in body.items() if value is not None})


def read_completions(raw: bytes) -> CompletionRequest:
    """Check what the gateway relies on.

    Raises:
        InvalidRequestError: naming the field.
    """
    body = read_object(raw)
    prompt = body.get("prompt")
    if not isinstance(prompt, str | list) or not prompt:
        raise InvalidRequestError("prompt: must be a string, or a list of strings or of tokens", param="prompt")
    spoken = {key: value for key, value in body.items() if key not in {"prompt", "messages"}}
    checked = read_chat(orjson.dumps({**spoken, "messages": [{"role": "user", "content": ""}]}))
    return CompletionRequest(
        raw=raw, body=body, model=checked.model, stream=checked.stream, wants_usage=checked.wants_usage
    )


def completion_of(
    answer: ChatAnswer, answering: Answering, routing: Mapping[str, object] | None = None
) -> dict[str, Any] | None:
    """The completion that a chat answer makes; None where the backend gave a completion already."""
    if all("text" in choice for choice in answer.choices):
        return None
    body = orjson.loads(answer.raw)
    completion = {
        "id": answer.response_id or answering.answer_id,
        "object": "text_completion",
        "created": body.get("created", answering.created_s),
        "model": answering.model_id,
        "choices": [_choice(choice, choice.get("message")) for choice in answer.choices],
        "usage": body.get("usage"),
    }
    return completion if routing is None else {**completion, "routing": routing}


class CompletionsStream:
    """Chat events in, completion events out; completion events pass as they came."""

    def __init__(self, answering: Answering) -> None:
        self._answering, self._reader = answering, ChunkReader()

    def take(self, data: bytes) -> bytes:
        """See `StreamTranslation.take`."""
        if b'"delta"' not in data:
            return data
        out = []
        for chunk in self._reader.take(data):
            if chunk == "done":
                out.append(b"data: [DONE]\n\n")
            elif chunk == "comment":
                out.append(b": waiting\n\n")
            else:
                out.append(_data(self._chunk(chunk)))
        return b"".join(out)

    def error(self, reply: ErrorReply, *, request_id: str) -> bytes:
        """See `StreamTranslation.error`."""
        finish = {"index": 0, "text": "", "finish_reason": "error", "logprobs": None}
        return _data({**openai_error(reply), **self._head({}), "choices": [finish], "request_id": request_id})

    def _chunk(self, chunk: Mapping[str, Any]) -> dict[str, Any]:
        choices = [_choice(choice, choice.get("delta")) for choice in chunk.get("choices") or ()]
        more = {key: chunk[key] for key in ("usage", "routing") if chunk.get(key) is not None}
        return {**self._head(chunk), "choices": choices, **more}

    def _head(self, chunk: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "id": self._answering.answer_id,
            "object": "text_completion",
            "created": chunk.get("created", self._answering.created_s),
            "model": self._answering.model_id,
        }


def _speaks(recipient: PoolEntry) -> bool:
    return recipient.backend is not None and CONTINUED_PROMPTS in recipient.backend.abilities


def _as_chat(prompt: object) -> list[dict[str, str]]:
    prompt = _single(prompt)
    if not isinstance(prompt, str):
        refuse("prompt", f"holds tokens or several prompts; {_REMEDY}")
    return [{"role": "user", "content": prompt}]


def _single(prompt: object) -> object:
    return prompt[0] if isinstance(prompt, list) and len(prompt) == 1 else prompt


def _choice(choice: Mapping[str, Any], message: object) -> dict[str, Any]:
    text = message.get("content") if isinstance(message, Mapping) else None
    return {
        "index": choice.get("index", 0),
        "text": text if isinstance(text, str) else "",
        "logprobs": None,
        "finish_reason": choice.get("finish_reason"),
    }


def _data(value: Mapping[str, Any]) -> bytes:
    return (
        b"data: "
        + orjson.dumps(value, default=str, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
        + b"\n\n"
    )
