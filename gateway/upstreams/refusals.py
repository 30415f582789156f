"""What a backend says beside an error's status, in the one shape in which clients are told.

OpenAI and most others put it under `error`; Gemini puts that into a list; Mistral, Cerebras and vLLM's older servers
put `message` at the top; FastAPI's say `detail`, which for a field that is not known lists where it stands. Mistral
wraps the last in a `message`, as an object or as text.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson

from catalog import Backend
from gateway.errors import OUT_OF_ROOM

__all__ = ["own_words", "secrets_in", "secrets_of", "unquoting"]

_UNKNOWN_FIELD = re.compile(  # of Gemini; of Groq and Cerebras; of OpenAI
    r"Unknown name \"(\w+)\"|property '([\w.\[\]]+)' is unsupported"
    r"|Unrecognized request arguments? supplied: (\w+)|Unknown parameter: '([\w.\[\]]+)'"
)
_NOT_BY_IT = re.compile(  # OpenAI, where it gives no code, and Anthropic, which has none
    r"not supported (?:with|by|for) (?:this model|gpt-|o\d)|[Tt]his model (?:does not support|supports at most)"
)
_TOO_LONG = re.compile(  # vLLM, Mistral, llama.cpp, OpenAI; Anthropic; Gemini; xAI; Groq; Together, SGLang; TGI; others
    r"maximum context length|exceeds? the (?:available )?context|prompt is too long|exceed context limit"
    r"|exceeds the maximum number of tokens|maximum prompt length is \d|reduce the length of the messages"
    r"|longer than the model's context length|`inputs` tokens \+ `max_new_tokens`|input is too long for requested model"
    r"|exceeded model token limit|context window exceeds limit|exceeded max context length"
)
_UNTAKEN = "unsupported_parameter"  # OpenAI's code for it
_FORBIDDEN = "extra_forbidden"  # pydantic's
_OUTER = ("body", "query", "path", "header")  # of places, which clients need not know
_MOST_CHARS = 2_000
_SECRET_NAME = re.compile(r"(?:key|token|secret|password|credentials?)(?:_|$)", re.IGNORECASE)  # of a variable
_SECRET_CHARS = 8  # a shorter value of a header is no secret, and stands in other words too


def own_words(said: object) -> Mapping[str, object] | None:
    """Its `message`, and `param`, `code` and `type` where it tells them; None where it says nothing that we know.

    What it does not know, what its model does not take and what does not fit its window has OpenAI's code for that,
    whatever its own.
    """
    inner = _inner(said)
    if inner is None:
        return None
    message = str(inner.get("message"))
    if unknown := _UNKNOWN_FIELD.search(message):
        return {**inner, "param": next(filter(None, unknown.groups())), "code": _UNTAKEN}
    if _TOO_LONG.search(message):
        return {**inner, "code": OUT_OF_ROOM}
    return {**inner, "code": _UNTAKEN} if inner.get("code") is None and _NOT_BY_IT.search(message) else inner


def secrets_of(backend: Backend, *keys: str | None) -> frozenset[str]:
    """What a backend is shown of us and nobody else is to see: keys, and what stands in configured headers."""
    shown = [
        *(key for key in keys if key),
        *(word for value in backend.headers.values() for word in (value, value.split(" ")[-1])),
    ]
    return frozenset(secret for secret in shown if len(secret) >= _SECRET_CHARS)


def secrets_in(environ: Mapping[str, str]) -> frozenset[str]:
    """What variables hold that are called like secrets: some libraries read them by themselves."""
    return frozenset(value for name, value in environ.items() if _SECRET_NAME.search(name))


def unquoting(said: Mapping[str, object] | None, secrets: Collection[str]) -> Mapping[str, object] | None:
    """The same without our secrets, which some servers quote: "incorrect API key provided: ..."."""
    if said is None or not secrets:
        return said
    return {name: _without(value, secrets) if isinstance(value, str) else value for name, value in said.items()}


def _without(text: str, secrets: Collection[str]) -> str:
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _inner(said: object) -> dict[str, Any] | None:
    if isinstance(said, list):
        return _inner(said[0]) if said else None
    if not isinstance(said, dict):
        return None
    error = said.get("error")
    if isinstance(error, dict):
        return error
    if isinstance(error, str):
        return {"message": error}
    message = _unpacked(said.get("message"))
    if isinstance(message, str):
        return {name: said[name] for name in ("message", "type", "param", "code") if said.get(name) is not None}
    told = message if isinstance(message, dict | list) else said
    return _of_fields(told.get("detail") if isinstance(told, dict) else told)


def _unpacked(message: object) -> object:
    """Mistral's proxy quotes JSON as text."""
    if not isinstance(message, str) or not message.startswith(("{", "[")):
        return message
    try:
        return orjson.loads(message)
    except orjson.JSONDecodeError:
        return message


def _of_fields(detail: object) -> dict[str, Any] | None:
    """FastAPI's complaints, one for each field; the first says which field it is about."""
    if isinstance(detail, str):
        return {"message": detail}
    complaints = [each for each in detail if isinstance(each, dict)] if isinstance(detail, list) else []
    if not complaints:
        return None
    places = [_place(complaint.get("loc")) for complaint in complaints]
    texts = [f"{place}: {each.get('msg')}" for place, each in zip(places, complaints, strict=True)]
    found: dict[str, Any] = {"message": "; ".join(texts)[:_MOST_CHARS], "param": places[0]}
    return {**found, "code": _UNTAKEN} if all(each.get("type") == _FORBIDDEN for each in complaints) else found


def _place(loc: object) -> str:
    parts: Sequence[object] = loc if isinstance(loc, list) else ()
    return ".".join(str(part) for part in (parts[1:] if parts and parts[0] in _OUTER else parts))[:200]
