"""A chat request that was told in another protocol, and how it is fitted to whoever is asked.

The translation keeps what only some backends understand (`thinking`, `cache_control`, signed reasoning, the `developer`
role); each attempt then leaves in what its backend takes and takes out the rest.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from catalog import PoolEntry
from gateway.errors import InvalidRequestError

from .body import ChatRequest
from .compatibility import adapted_fields, is_openai, token_limit
from .histories import plain_text
from .reasoning_signatures import signed_calls, thinking_for

__all__ = ["TranslatedRequest", "fitted"]

_EFFORT_TOKENS = (("low", 2_048), ("medium", 8_192))  # a thinking budget up to this is that effort, above it "high"


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslatedRequest(ChatRequest):
    """`client_body` is the client's own body; `body` what it means in chat."""

    client_body: dict[str, Any]

    @property
    def as_sent(self) -> Mapping[str, Any]:
        """See `ChatRequest.as_sent`."""
        return self.client_body

    def for_backend(
        self,
        model_name: str,
        *,
        without: Collection[str] = (),
        replacing: Mapping[str, object] | None = None,
        recipient: PoolEntry | None = None,
    ) -> bytes:
        """The bytes that a backend gets; see `ChatRequest.for_backend`."""
        body = {key: value for key, value in self.body.items() if key not in without}
        body.update(replacing or {})
        body["model"] = model_name
        fit = fitted(body, recipient)
        fit |= adapted_fields(fit, recipient, asked_for=self.model)
        return orjson.dumps({key: value for key, value in fit.items() if value is not None})


def fitted(body: Mapping[str, Any], recipient: PoolEntry | None) -> dict[str, Any]:
    """The body as this candidate takes it; None stands for a plain OpenAI-compatible server."""
    maker = recipient.profile.owner if recipient is not None else ""
    backend = recipient.backend if recipient is not None else None
    newest = backend is not None and is_openai(backend)
    fit = {key: value for key, value in {**body, **token_limit(backend, body)}.items() if value is not None}
    fitted_messages = (_fitted_message(message, maker, knows_developers=newest) for message in body["messages"])
    messages = [message for message in fitted_messages if message is not None]
    if "tools" in fit and maker != "anthropic":
        fit["tools"] = [_uncached(tool) for tool in fit["tools"]]
    thinking = fit.pop("thinking", None)
    if not (thinking is None or isinstance(thinking, Mapping)):
        raise InvalidRequestError('thinking: must be an object such as {"type": "enabled"}', param="thinking")
    if thinking is not None and maker == "anthropic" and _may_think(messages):
        fit["thinking"] = thinking
    elif thinking is not None:
        fit.setdefault("reasoning_effort", _effort(thinking))
    if recipient is None or "reasoning" not in recipient.profile.capabilities:
        fit.pop("reasoning_effort", None)  # to models that do not think it says nothing, and some servers refuse it
    fit["messages"] = messages if maker == "anthropic" else _one_turn_each(messages)
    return fit


def _fitted_message(message: Mapping[str, Any], maker: str, *, knows_developers: bool) -> dict[str, Any] | None:
    """One message; None where nothing is left of it but thoughts that this model may not see."""
    fit = dict(message)
    if fit.get("role") == "developer" and not knows_developers:
        fit["role"] = "system"
    if blocks := fit.pop("thinking_blocks", None):
        fit |= thinking_for(maker, blocks)
        if "tool_calls" in fit:
            fit["tool_calls"] = signed_calls(maker, fit["tool_calls"], blocks)
        if fit.keys() == {"role", "content"} and fit["content"] is None:
            return None
    content = fit.get("content")
    if maker != "anthropic":
        fit.pop("cache_control", None)
    if isinstance(content, list) and maker != "anthropic":
        parts = [_uncached(part) for part in content]
        fit["content"] = parts if (text := plain_text(parts)) is None else text
    return fit


def _one_turn_each(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a model said after its calls, before them: chat wants nothing between calls and their results."""
    turns: list[dict[str, Any]] = []
    for message in messages:
        if message.get("role") == "assistant" and turns and turns[-1].get("tool_calls"):
            turns[-1] = _in_one(turns[-1], message)
        else:
            turns.append(message)
    return turns


def _in_one(first: Mapping[str, Any], then: Mapping[str, Any]) -> dict[str, Any]:
    one = {**first, **then, "content": _both(first.get("content"), then.get("content"))}
    one["tool_calls"] = [*first["tool_calls"], *then.get("tool_calls", ())]
    if thoughts := [m["reasoning_content"] for m in (first, then) if "reasoning_content" in m]:
        one["reasoning_content"] = "".join(thoughts)
    return one


def _both(first: object, then: object) -> object:
    """Two contents as one."""
    if not first or not then:
        return first or then
    if isinstance(first, str) and isinstance(then, str):
        return f"{first}\n{then}"
    parts = ([{"type": "text", "text": content}] if isinstance(content, str) else content for content in (first, then))
    return [part for listed in parts if isinstance(listed, list) for part in listed]


def _uncached(part: Mapping[str, Any]) -> dict[str, Any]:
    """Marks for a provider's prompt cache are hints: they mean nothing elsewhere, and some servers refuse them."""
    return {key: value for key, value in part.items() if key != "cache_control"}


def _may_think(messages: Sequence[Mapping[str, Any]]) -> bool:
    """A turn of tool calls that was begun without signed thinking cannot be continued with it."""
    for message in reversed(messages):
        if message.get("role") == "assistant":
            return not message.get("tool_calls") or bool(message.get("thinking_blocks"))
        if message.get("role") != "tool":
            return True
    return True


def _effort(thinking: Mapping[str, Any]) -> str:
    """How hard to think, from a budget of tokens; without one, the usual amount."""
    budget = thinking.get("budget_tokens")
    if not isinstance(budget, int):
        return "medium"
    return next((effort for effort, most in _EFFORT_TOKENS if budget <= most), "high")
