"""An error as each protocol writes it, in words that its clients look for."""

import re
from collections.abc import Mapping

from .replies import ErrorReply
from .upstream import OUT_OF_ROOM

__all__ = ["anthropic_error", "openai_error"]

_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "invalid_request_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    431: "request_too_large",
    503: "overloaded_error",
}
# Clients tell a request that is too long from others by words of its message; these are those that litellm knows.
_TOO_LONG_TO_OPENAI = re.compile(
    r"maximum context length|exceeds the available context size|exceed context limit"
    r"|exceeds the maximum number of tokens allowed|longer than the model's context length"
)
_TOO_LONG_TO_ANTHROPIC = re.compile(r"prompt is too long|exceed context limit")


def openai_error(reply: ErrorReply) -> dict[str, object]:
    """The body that OpenAI's clients read."""
    message = reply.message
    if reply.code == OUT_OF_ROOM and not _TOO_LONG_TO_OPENAI.search(message):
        message = f"This model's maximum context length is exceeded: {message}"
    error = {"message": message, "type": reply.kind, "param": reply.param, "code": reply.code, **reply.extra}
    return {"error": error}


def anthropic_error(reply: ErrorReply, *, request_id: str) -> dict[str, object]:
    """The body that Anthropic's clients read."""
    message = reply.message if reply.code != OUT_OF_ROOM else _too_long_to_anthropic(reply)
    error = {"type": _ANTHROPIC_TYPES.get(reply.status, "api_error"), "message": message, **reply.extra}
    return {"type": "error", "error": error, "request_id": request_id}


def _too_long_to_anthropic(reply: ErrorReply) -> str:
    """In Anthropic's own words: clients look for them, and allow a shorter answer where that is all that is needed."""
    facts = reply.extra.get("too_long")
    if not isinstance(facts, Mapping):  # a backend's own words
        found = _TOO_LONG_TO_ANTHROPIC.search(reply.message)
        return reply.message if found else f"prompt is too long: {reply.message}"
    read, allowed, window = (facts[name] for name in ("input_tokens", "output_tokens", "window_tokens"))
    if read < window:
        return (
            f"input length and `max_tokens` exceed context limit: {read} + {allowed} > {window}, "
            "decrease input length or `max_tokens` and try again"
        )
    return f"prompt is too long: {read} tokens > {window} maximum"
