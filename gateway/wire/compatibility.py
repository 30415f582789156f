"""Differences between OpenAI-compatible providers: a chat request's fields and messages, as one provider takes them.

All speak OpenAI's dialect, and no two quite the same. OpenAI's reasoning models refuse `max_tokens` and, unless told
not to reason, temperatures; Mistral refuses `max_completion_tokens`, and DeepSeek ignores it and answers without end.
Mistral takes only ids of its own form for tool calls, OpenAI no long ones, and some providers no reasoning in a
history. Gemini signs its calls, refuses unsigned ones unless told to let them pass, and nobody else knows its
signatures. A conversation that moves from one model to another would break at each of these, and so would a request
whose sender could not know who answers it. What is refused beyond that, the provider says itself, and another is asked.

Source: the providers' API references (Google's: Thought signatures, for calls that come from elsewhere); litellm's
`OpenAIGPT5Config` for which models take temperatures when.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from catalog import Backend, PoolEntry
from catalog.discovery.providers import PROVIDERS

from .tool_names import NAMES, NAMES_AT, fitted_tools, own_names, renamed, shortened

__all__ = [
    "BY_RESPONSES",
    "adapted_fields",
    "is_auto",
    "is_openai",
    "plain_text",
    "refused_sampling",
    "restorer",
    "token_limit",
]

_TOKEN_LIMITS = ("max_completion_tokens", "max_tokens")
_SAMPLING = ("temperature", "top_p")
_REASONING_MODEL = re.compile(r"(?:gpt-(?P<major>\d+)(?:\.(?P<minor>\d+))?(?!-chat)|o\d)(?![\w.])")
_GPT_5 = (5, 0)  # the first GPT that reasons, as do all after it
_REASONS_IF_ASKED = ((5, 1), (5, 4))  # first and last GPT that does not reason unless asked to
_ALWAYS_REASONS = re.compile(r"-(?:pro|codex)\b")
_AUTO_NAMES = ("auto", "paretogate/auto")  # a client that names these names no model
_REFUSES_EXCESS_TOKENS = frozenset({"anthropic", "gemini"})  # as OpenAI does: a limit above what the model can give
_REFUSES_UNKNOWN_FIELDS = frozenset({"cerebras", "gemini", "groq", "mistral"})
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
BY_RESPONSES = "openai/responses/"  # before a model's name: litellm translates, and OpenAI answers
_IDENTIFIERS = ("prompt_cache_key", "safety_identifier", "user")
_MAX_IDENTIFIER_CHARS = 64  # at OpenAI, and below OpenRouter's; Claude Code's names of users are twice as long
_REFUSES_REASONING = frozenset({"cerebras", "groq", "mistral"})  # in the messages of a history
_WANTS_PLAIN_TEXT = frozenset({"deepseek", "moonshot", "sambanova"})  # a string, where others take a list of parts
_REASONING_FIELDS = ("reasoning_content", "reasoning_details")
_MISTRAL_CALL_ID = re.compile(r"[a-zA-Z0-9]{9}")
_MAX_CALL_ID_CHARS = 40  # at OpenAI
_SIGNATURE = "extra_content"  # the field of a call that holds Gemini's signature
_SKIP_SIGNATURE = {"google": {"thought_signature": "skip_thought_signature_validator"}}
_UNSIGNED_GEMINI = re.compile(r"(?:models/)?gemini-[12]\b")  # versions that neither sign nor ask for it
_KNOWS_SIGNATURES = frozenset({"gemini", "openrouter", "vercel_ai_gateway"})  # Gemini's
_BASE_62 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def adapted_fields(body: Mapping[str, Any], recipient: PoolEntry | None, *, asked_for: str) -> dict[str, Any]:
    """The top-level fields to change for this backend; None stands for a field to leave out.

    Args:
        body: a chat request, as it would be sent.
        recipient: whose backend it is; of a provider that we do not know, nothing is changed.
        asked_for: the client's `model`. Whoever names a model hears from it what it refuses.
    """
    backend = recipient.backend if recipient is not None else None
    if recipient is None or backend is None:
        return {}
    provider = _dialect_of(backend)
    most = recipient.profile.max_output_tokens if is_auto(asked_for) else None
    found: dict[str, Any] = {} if provider is None else token_limit(backend, body)
    if most is not None and (is_openai(backend) or (provider or backend.provider) in _REFUSES_EXCESS_TOKENS):
        found |= {name: most for name in _TOKEN_LIMITS if _number({**body, **found}.get(name)) > most}
    if (taken := _tool_names_at(backend)) is not None:
        found |= fitted_tools(body, taken)
    found |= dict.fromkeys(refused_sampling(body, backend, asked_for=asked_for))
    if provider is not None:
        if provider == "groq" and "qwen" in backend.model_name and body.get("reasoning_effort") is not None:
            found["reasoning_effort"] = "none" if body["reasoning_effort"] in ("none", "minimal") else "default"
        found |= _without_hints(body) if provider in _REFUSES_UNKNOWN_FIELDS else _hashed_identifiers(body)
    if isinstance(messages := body.get("messages"), list) and (provider is not None or taken is not None):
        fit = _fitted_messages(messages, provider, backend, taken)
        if fit is not messages:
            found["messages"] = fit
    return found


def restorer(body: Mapping[str, Any], recipient: PoolEntry) -> Callable[[bytes], bytes] | None:
    """A function that puts the client's own names of tools back into the JSON of an answer; None where none changed."""
    taken = _tool_names_at(recipient.backend) if body.get("tools") and recipient.backend is not None else None
    return None if taken is None else own_names(body, taken)


def refused_sampling(body: Mapping[str, Any], backend: Backend, *, asked_for: str) -> tuple[str, ...]:
    """Sampling parameters of the body that this model refuses, and so is not sent; see `adapted_fields`."""
    name = backend.model_name.removeprefix(BY_RESPONSES)
    is_theirs = is_openai(backend) or name != backend.model_name
    if not is_auto(asked_for) or not is_theirs or _takes_sampling(name, body):
        return ()
    return tuple(each for each in _SAMPLING if body.get(each) not in (None, 1))


def is_auto(asked_for: str) -> bool:
    """Whether a client named no model, and so could not know what it refuses."""
    return asked_for.partition(":")[0] in _AUTO_NAMES


def plain_text(content: object) -> str | None:
    """A list of parts that are texts and nothing else, as one text; None where it is anything else."""
    if not isinstance(content, list) or not content:
        return None
    if not all(isinstance(part, dict) and part.keys() == {"type", "text"} for part in content):
        return None
    return "\n".join(str(part["text"]) for part in content)


def is_openai(backend: Backend) -> bool:
    """Whether it is OpenAI itself: its open models are served by others, whose newest words are fewer."""
    return backend.kind == "openai" and _dialect_of(backend) == "openai" and "gpt-oss" not in backend.model_name


def token_limit(backend: Backend | None, body: Mapping[str, Any]) -> dict[str, Any]:
    """The limit of output tokens under the one name that is known there; see `adapted_fields`."""
    wanted, other = _TOKEN_LIMITS if backend is not None and is_openai(backend) else reversed(_TOKEN_LIMITS)
    if body.get(other) is None:
        return {}
    return {wanted: body[wanted] if body.get(wanted) is not None else body[other], other: None}


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


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _dialect_of(backend: Backend) -> str | None:
    """The provider whose variant of the protocol it speaks; None where that is unknown."""
    if backend.kind not in ("openai", "vllm", "llama_cpp", "ollama", "embedded"):
        return None  # litellm and Anthropic's own dialect are translated elsewhere
    provider = _provider_at(backend.base_url) or backend.provider
    return provider if backend.kind != "openai" or provider in PROVIDERS else None


def _tool_names_at(backend: Backend) -> re.Pattern[str] | None:
    """The pattern of the tool names that are taken there; None where all are, as by servers of open models."""
    if backend.kind in ("litellm", "anthropic"):
        return NAMES_AT.get(backend.provider, NAMES)
    provider = _dialect_of(backend) if backend.kind == "openai" else None
    return None if provider is None else NAMES_AT.get(provider, NAMES)


@lru_cache(maxsize=1_024)
def _provider_at(url: str | None) -> str | None:
    """Whose address it is, whatever the operator calls it."""
    host = urlsplit(url).hostname if url else None
    addresses = ((p.id, p.base_url) for p in PROVIDERS.values() if p.base_url is not None)
    return next((name for name, base_url in addresses if urlsplit(base_url).hostname == host), None) if host else None


def _takes_sampling(model_name: str, body: Mapping[str, Any]) -> bool:
    """Whether one of OpenAI's models takes sampling parameters, given the effort that is asked of it."""
    found = _REASONING_MODEL.match(model_name)
    if found is None:
        return True
    version = (int(found["major"]), int(found["minor"] or 0)) if found["major"] else None
    if version is not None and version < _GPT_5:
        return True
    effort = body.get("reasoning_effort")
    if _ALWAYS_REASONS.search(model_name):
        return False
    if effort is None:
        return version is not None and _REASONS_IF_ASKED[0] <= version <= _REASONS_IF_ASKED[1]
    return bool(effort == "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class _MessageRules:
    """How a provider takes the messages of a history."""

    call_id: Callable[[str], str] | None  # what it calls a call of this id; None: the same
    tool_name: Callable[[str], str] | None  # likewise of a tool
    drops_reasoning: bool
    has_developer_role: bool
    keeps_signatures: bool  # Gemini's
    needs_signatures: bool
    wants_plain_text: bool

    def fitted(self, message: Any) -> Any:  # noqa: ANN401 - whatever stands in the list
        """One message; the very same where nothing differs."""
        if not isinstance(message, dict):
            return message
        changed: dict[str, Any] = {}
        if message.get("role") == "developer" and not self.has_developer_role:
            changed["role"] = "system"
        if self.wants_plain_text and (text := plain_text(message.get("content"))) is not None:
            changed["content"] = text
        call_id = message.get("tool_call_id")
        if self.call_id is not None and isinstance(call_id, str) and (name := self.call_id(call_id)) != call_id:
            changed["tool_call_id"] = name
        called = message.get("name") if message.get("role") in ("tool", "function") else None
        if self.tool_name is not None and isinstance(called, str) and (name := self.tool_name(called)) != called:
            changed["name"] = name
        if isinstance(calls := message.get("tool_calls"), list) and (fit := self._calls(calls)) != calls:
            changed["tool_calls"] = fit
        left_out = [name for name in _REASONING_FIELDS if name in message] if self.drops_reasoning else []
        if not changed and not left_out:
            return message
        return {key: value for key, value in {**message, **changed}.items() if key not in left_out}

    def _calls(self, calls: list[Any]) -> list[Any]:
        fit = [self._call(call) if isinstance(call, dict) else call for call in calls]
        if self.needs_signatures and not any(isinstance(call, dict) and call.get(_SIGNATURE) for call in fit):
            fit[:1] = [{**call, _SIGNATURE: _SKIP_SIGNATURE} if isinstance(call, dict) else call for call in fit[:1]]
        return fit

    def _call(self, call: dict[str, Any]) -> dict[str, Any]:
        fit = call if self.keeps_signatures else {key: value for key, value in call.items() if key != _SIGNATURE}
        if self.tool_name is not None:
            fit = renamed(fit, self.tool_name)
        named = self.call_id is not None and isinstance(fit.get("id"), str)
        return {**fit, "id": self.call_id(fit["id"])} if named and self.call_id is not None else fit


def _fitted_messages(
    messages: Sequence[Any], provider: str | None, backend: Backend, taken: re.Pattern[str] | None
) -> Sequence[Any]:
    """The history as this provider takes it; the very same object where nothing differs."""
    newest = is_openai(backend)
    is_unknown = provider is None  # what else it takes, whoever translates for it knows
    rules = _MessageRules(
        call_id=_openai_call_id if newest else _mistral_call_id if provider == "mistral" else None,
        tool_name=None if taken is None else lambda name: shortened(name, taken),
        drops_reasoning=newest or provider in _REFUSES_REASONING,
        has_developer_role=newest or is_unknown,
        keeps_signatures=provider in _KNOWS_SIGNATURES or is_unknown,
        needs_signatures=provider == "gemini" and not _UNSIGNED_GEMINI.match(backend.model_name),
        wants_plain_text=provider in _WANTS_PLAIN_TEXT,
    )
    fit = [rules.fitted(message) for message in messages]
    return messages if all(new is old for new, old in zip(fit, messages, strict=True)) else fit


def _openai_call_id(call_id: str) -> str:
    if len(call_id) <= _MAX_CALL_ID_CHARS:
        return call_id
    return f"call_{hashlib.sha256(call_id.encode()).hexdigest()[:24]}"


def _mistral_call_id(call_id: str) -> str:
    if _MISTRAL_CALL_ID.fullmatch(call_id):
        return call_id
    digest = hashlib.sha256(call_id.encode()).digest()
    return "".join(_BASE_62[byte % len(_BASE_62)] for byte in digest[:9])
