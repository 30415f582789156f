"""Differences between OpenAI-compatible providers: a chat request's fields and messages, as one provider takes them.

All speak OpenAI's dialect, and no two quite the same. OpenAI's reasoning models refuse `max_tokens` and, unless told
not to reason, temperatures; Mistral refuses `max_completion_tokens`, and DeepSeek ignores it and answers without end.
Mistral takes only ids of its own form for tool calls, OpenAI no long ones, and some providers no reasoning in a
history. Gemini signs its calls, refuses unsigned ones unless told to let them pass, and nobody else knows its
signatures. A conversation that moves from one model to another would break at each of these, and so would a request
whose sender could not know who answers it. What is refused beyond that, the provider says itself, and another is asked.

Source: the providers' API references (Google's: Thought signatures, for calls that come from elsewhere; Cohere's:
Compatibility API, and Strands' page of Cohere for `stream_options`).
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from catalog import Backend, PoolEntry
from catalog.pools.openai_models import takes_sampling

from .histories import fitted_messages
from .tool_names import fitted_tools, own_names
from .variants import Variant, variant_of

__all__ = ["adapted_fields", "is_auto", "is_openai", "refused_sampling", "restorer", "token_limit"]

_TOKEN_LIMITS = ("max_completion_tokens", "max_tokens")
_SAMPLING = ("temperature", "top_p")
_AUTO_NAMES = ("auto", "paretogate/auto")  # a client that names these names no model
_REFUSES_UNKNOWN_FIELDS = frozenset({"cerebras", "cohere", "gemini", "groq", "mistral"})
_REFUSES_STREAM_OPTIONS = frozenset({"cohere"})  # even the wish for counts of tokens
_HINTS = (
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "store",
    "user",
)  # no answer depends on them
_DEFAULTS: Mapping[str, tuple[object, ...]] = {  # values that change no answer: left out where the field is refused
    "frequency_penalty": (0,),
    "logprobs": (False,),
    "n": (1,),
    "parallel_tool_calls": (True,),
    "presence_penalty": (0,),
    "service_tier": ("auto", "default"),
}
_IDENTIFIERS = ("prompt_cache_key", "safety_identifier", "user")
_MAX_IDENTIFIER_CHARS = 64  # at OpenAI, and below OpenRouter's; Claude Code's names of users are twice as long


def adapted_fields(body: Mapping[str, Any], recipient: PoolEntry | None, *, asked_for: str) -> dict[str, Any]:
    """The top-level fields to change for this backend; None stands for a field to leave out.

    Args:
        body: a chat request, as it would be sent.
        recipient: whose backend it is; of a provider that we do not know, nothing is changed.
        asked_for: the client's `model`. Whoever names a model hears from it what it refuses.
    """
    if recipient is None or recipient.backend is None or (variant := variant_of(recipient.backend)).is_plain:
        return {}
    found = token_limit(recipient.backend, body) if variant.provider is not None else {}
    if variant.refuses_excess_tokens and is_auto(asked_for):
        found |= _capped({**body, **found}, recipient.profile.max_output_tokens)
    if variant.tool_names is not None:
        found |= fitted_tools(body, variant.tool_names)
    found |= dict.fromkeys(_refused_sampling(body, variant, asked_for))
    if variant.provider is not None:
        found |= _for_provider(body, variant.provider, recipient.backend)
    if isinstance(messages := body.get("messages"), list):
        fit = fitted_messages(messages, recipient.backend)
        if fit is not messages:
            found["messages"] = fit
    return found


def restorer(body: Mapping[str, Any], recipient: PoolEntry) -> Callable[[bytes], bytes] | None:
    """A function that puts the client's own names of tools back into the JSON of an answer; None where none changed."""
    if not body.get("tools") or recipient.backend is None:
        return None
    taken = variant_of(recipient.backend).tool_names
    return None if taken is None else own_names(body, taken)


def refused_sampling(body: Mapping[str, Any], backend: Backend, *, asked_for: str) -> tuple[str, ...]:
    """Sampling parameters of the body that this model refuses, and so is not sent; see `adapted_fields`."""
    return _refused_sampling(body, variant_of(backend), asked_for)


def is_auto(asked_for: str) -> bool:
    """Whether a client named no model, and so could not know what it refuses."""
    return asked_for.partition(":")[0] in _AUTO_NAMES


def is_openai(backend: Backend) -> bool:
    """Whether it is OpenAI itself: its open models are served by others, whose newest words are fewer."""
    return variant_of(backend).is_openai


def token_limit(backend: Backend | None, body: Mapping[str, Any]) -> dict[str, Any]:
    """The limit of output tokens under the one name that is known there; see `adapted_fields`."""
    wanted, other = _TOKEN_LIMITS if backend is not None and is_openai(backend) else reversed(_TOKEN_LIMITS)
    if body.get(other) is None:
        return {}
    return {wanted: body[wanted] if body.get(wanted) is not None else body[other], other: None}


def _refused_sampling(body: Mapping[str, Any], variant: Variant, asked_for: str) -> tuple[str, ...]:
    name = variant.reasoning_model
    if name is None or not is_auto(asked_for) or takes_sampling(name, body.get("reasoning_effort")):
        return ()
    return tuple(each for each in _SAMPLING if body.get(each) not in (None, 1))


def _capped(body: Mapping[str, Any], most: int | None) -> dict[str, Any]:
    """Limits of output tokens no higher than what the model can give."""
    if most is None:
        return {}
    return {name: most for name in _TOKEN_LIMITS if isinstance(limit := body.get(name), int) and limit > most}


def _for_provider(body: Mapping[str, Any], provider: str, backend: Backend) -> dict[str, Any]:
    """What providers want to have otherwise, or not at all."""
    found: dict[str, Any] = {}
    if provider == "groq" and "qwen" in backend.model_name and body.get("reasoning_effort") is not None:
        found["reasoning_effort"] = "none" if body["reasoning_effort"] in ("none", "minimal") else "default"
    if provider in _REFUSES_STREAM_OPTIONS and body.get("stream"):
        found["stream_options"] = None
    return found | (_without_hints(body) if provider in _REFUSES_UNKNOWN_FIELDS else _hashed_identifiers(body))


def _without_hints(body: Mapping[str, Any]) -> dict[str, Any]:
    hints = [name for name in _HINTS if body.get(name) is not None]
    idle = [name for name, values in _DEFAULTS.items() if body.get(name) in values]
    return dict.fromkeys((*hints, *idle))


def _hashed_identifiers(body: Mapping[str, Any]) -> dict[str, Any]:
    """Digests of identifiers that are too long: equal ones stay equal, and nobody reads them as text."""
    identifiers = {name: value for name in _IDENTIFIERS if isinstance(value := body.get(name), str)}
    return {
        name: hashlib.sha256(value.encode()).hexdigest()
        for name, value in identifiers.items()
        if len(value) > _MAX_IDENTIFIER_CHARS
    }
