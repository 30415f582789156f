"""A chat request in the words that its recipient knows.

All speak OpenAI's dialect, and no two quite the same. OpenAI's models that think refuse `max_tokens` and, unless told
not to think, temperatures; Mistral refuses `max_completion_tokens`, and DeepSeek passes over it and answers without
end. Mistral takes nothing but its own kind of names for calls, OpenAI no long ones, and some no reasoning in a
history; Gemini signs its calls, refuses others unless told to let them pass, and nobody else knows its signatures. A
conversation that moves from one model to another would break at each of these, and so would a request of which nobody
could know who will answer it. What is refused beyond that, the recipient says itself, and another is asked.

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
from catalog.providers import PROVIDERS

from .tool_names import NAMES, NAMES_AT, fitted_tools, own_names, renamed, shortened

__all__ = [
    "BY_RESPONSES",
    "differing",
    "is_openai",
    "left_to_us",
    "limit_named_for",
    "plain_text",
    "restoring",
    "untaken",
]

_LIMITS = ("max_completion_tokens", "max_tokens")
_SAMPLING = ("temperature", "top_p")
_THINKING = re.compile(r"(?:gpt-(?P<major>\d+)(?:\.(?P<minor>\d+))?(?!-chat)|o\d)(?![\w.])")
_GPT_5 = (5, 0)  # which thinks, as all that came after it
_SILENT = ((5, 1), (5, 4))  # from which on, and up to which, GPT does not think unless it is asked to
_NEVER_SILENT = re.compile(r"-(?:pro|codex)\b")
_OURS = ("auto", "paretogate/auto")  # what clients call no model in particular
_STRICT = frozenset({"anthropic", "gemini"})  # like OpenAI, refuse to allow more tokens than their models can give
_PRECISE = frozenset({"cerebras", "gemini", "groq", "mistral"})  # refuse every field that they do not know
_HINTS = (
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "store",
    "user",
)  # no answer depends on them
_NOTHING: Mapping[str, tuple[object, ...]] = {  # what may be said, and the values that ask for nothing
    "frequency_penalty": (0,),
    "logprobs": (False,),
    "n": (1,),
    "parallel_tool_calls": (True,),
    "presence_penalty": (0,),
    "service_tier": ("auto", "default"),
}
BY_RESPONSES = "openai/responses/"  # before a model's name: litellm translates, and OpenAI answers
_IDENTIFIERS = ("prompt_cache_key", "safety_identifier", "user")
_LONGEST_IDENTIFIER = 64  # at OpenAI, and below OpenRouter's; Claude Code's names of users are twice as long
_FORGETFUL = frozenset({"cerebras", "groq", "mistral"})  # refuse to be told what a model thought
_PLAIN = frozenset({"deepseek", "moonshot", "sambanova"})  # want texts of history and instructions whole, not in parts
_THOUGHTS = ("reasoning_content", "reasoning_details")
_MISTRALS_NAME = re.compile(r"[a-zA-Z0-9]{9}")
_LONGEST_NAME = 40  # of a call, at OpenAI
_EXTRA = "extra_content"  # of a call: Gemini's signature
_UNSIGNED = {"google": {"thought_signature": "skip_thought_signature_validator"}}
_SIGNS_NOT = re.compile(r"(?:models/)?gemini-[12]\b")
_PASSES_ON = frozenset({"gemini", "openrouter", "vercel_ai_gateway"})  # who knows Gemini's signatures
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def differing(body: Mapping[str, Any], recipient: PoolEntry | None, *, asked_for: str) -> dict[str, Any]:
    """Top-level values that differ where this backend is asked; None stands for what is left out.

    Args:
        body: a chat request, as it would be sent.
        recipient: whose backend it is; where nobody knows whose words it speaks, nothing differs.
        asked_for: the client's own word for the model. Who names one hears from it what it refuses.
    """
    backend = recipient.backend if recipient is not None else None
    if recipient is None or backend is None:
        return {}
    is_ours, provider = left_to_us(asked_for), _speaker(backend)
    most = recipient.profile.max_output_tokens if is_ours else None
    found: dict[str, Any] = {} if provider is None else limit_named_for(backend, body)
    if most is not None and (is_openai(backend) or (provider or backend.provider) in _STRICT):
        found |= {name: most for name in _LIMITS if _number({**body, **found}.get(name)) > most}
    if (taken := _names_taken(backend)) is not None:
        found |= fitted_tools(body, taken)
    found |= dict.fromkeys(untaken(body, backend, asked_for=asked_for))
    if provider is not None:
        if provider == "groq" and "qwen" in backend.model_name and body.get("reasoning_effort") is not None:
            found["reasoning_effort"] = "none" if body["reasoning_effort"] in ("none", "minimal") else "default"
        found |= _without_hints(body) if provider in _PRECISE else _short_identifiers(body)
    if isinstance(messages := body.get("messages"), list) and (provider is not None or taken is not None):
        fit = _fitted(messages, provider, backend, taken)
        if fit is not messages:
            found["messages"] = fit
    return found


def restoring(body: Mapping[str, Any], recipient: PoolEntry) -> Callable[[bytes], bytes] | None:
    """What puts the client's own names of tools back into the JSON of an answer; None where nothing differs."""
    taken = _names_taken(recipient.backend) if body.get("tools") and recipient.backend is not None else None
    return None if taken is None else own_names(body, taken)


def untaken(body: Mapping[str, Any], backend: Backend, *, asked_for: str) -> tuple[str, ...]:
    """Parameters that the backend's model refuses, which it is not told; see `differing`."""
    name = backend.model_name.removeprefix(BY_RESPONSES)
    is_theirs = is_openai(backend) or name != backend.model_name
    if not left_to_us(asked_for) or not is_theirs or _samples(name, body):
        return ()
    return tuple(each for each in _SAMPLING if body.get(each) not in (None, 1))


def left_to_us(asked_for: str) -> bool:
    """Whether a client named no model, and so could not know what it refuses."""
    return asked_for.partition(":")[0] in _OURS


def plain_text(content: object) -> str | None:
    """A list of parts that are texts and nothing else, as one text; None where it is anything else."""
    if not isinstance(content, list) or not content:
        return None
    if not all(isinstance(part, dict) and part.keys() == {"type", "text"} for part in content):
        return None
    return "\n".join(str(part["text"]) for part in content)


def is_openai(backend: Backend) -> bool:
    """Whether it is OpenAI itself: its open models are served by others, whose newest words are fewer."""
    return backend.kind == "openai" and _speaker(backend) == "openai" and "gpt-oss" not in backend.model_name


def limit_named_for(backend: Backend | None, body: Mapping[str, Any]) -> dict[str, Any]:
    """How long the answer may be, under the one name that is known there; see `differing`."""
    wanted, other = _LIMITS if backend is not None and is_openai(backend) else reversed(_LIMITS)
    if body.get(other) is None:
        return {}
    return {wanted: body[wanted] if body.get(wanted) is not None else body[other], other: None}


def _without_hints(body: Mapping[str, Any]) -> dict[str, Any]:
    hints = [name for name in _HINTS if body.get(name) is not None]
    idle = [name for name, values in _NOTHING.items() if body.get(name) in values]
    return dict.fromkeys((*hints, *idle))


def _short_identifiers(body: Mapping[str, Any]) -> dict[str, Any]:
    """The same for the same, and nobody's name is lost: it was a mark, not a word."""
    told = {name: value for name in _IDENTIFIERS if isinstance(value := body.get(name), str)}
    return {
        name: hashlib.sha256(value.encode()).hexdigest()
        for name, value in told.items()
        if len(value) > _LONGEST_IDENTIFIER
    }


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _speaker(backend: Backend) -> str | None:
    """The provider whose words it speaks; None where they are unknown."""
    if backend.kind not in ("openai", "vllm", "llama_cpp", "ollama", "embedded"):
        return None  # litellm and Anthropic's own dialect are translated elsewhere
    provider = _provider_at(backend.base_url) or backend.provider
    return provider if backend.kind != "openai" or provider in PROVIDERS else None


def _names_taken(backend: Backend) -> re.Pattern[str] | None:
    """Which names of tools are taken there; None where all are, as by servers of open models."""
    if backend.kind in ("litellm", "anthropic"):
        return NAMES_AT.get(backend.provider, NAMES)
    provider = _speaker(backend) if backend.kind == "openai" else None
    return None if provider is None else NAMES_AT.get(provider, NAMES)


@lru_cache(maxsize=1_024)
def _provider_at(url: str | None) -> str | None:
    """Whose address it is, whatever the operator calls it."""
    host = urlsplit(url).hostname if url else None
    addresses = ((p.id, p.base_url) for p in PROVIDERS.values() if p.base_url is not None)
    return next((name for name, base_url in addresses if urlsplit(base_url).hostname == host), None) if host else None


def _samples(model_name: str, body: Mapping[str, Any]) -> bool:
    """Whether one of OpenAI's models takes temperatures, given how hard it is to think."""
    found = _THINKING.match(model_name)
    if found is None:
        return True
    version = (int(found["major"]), int(found["minor"] or 0)) if found["major"] else None
    if version is not None and version < _GPT_5:
        return True
    effort = body.get("reasoning_effort")
    if _NEVER_SILENT.search(model_name):
        return False
    if effort is None:
        return version is not None and _SILENT[0] <= version <= _SILENT[1]
    return bool(effort == "none")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """How somebody wants to be told what was said before."""

    rename: Callable[[str], str] | None  # names of calls
    rename_tool: Callable[[str], str] | None
    forgets: bool  # what models thought
    knows_developers: bool
    knows_signatures: bool  # of Gemini's
    wants_signatures: bool
    wants_plain_texts: bool

    def message(self, message: Any) -> Any:  # noqa: ANN401 - whatever stands in the list
        """One message; the very same where nothing differs."""
        if not isinstance(message, dict):
            return message
        changed: dict[str, Any] = {}
        if message.get("role") == "developer" and not self.knows_developers:
            changed["role"] = "system"
        if self.wants_plain_texts and (text := plain_text(message.get("content"))) is not None:
            changed["content"] = text
        call_id = message.get("tool_call_id")
        if self.rename is not None and isinstance(call_id, str) and (name := self.rename(call_id)) != call_id:
            changed["tool_call_id"] = name
        called = message.get("name") if message.get("role") in ("tool", "function") else None
        if self.rename_tool is not None and isinstance(called, str) and (name := self.rename_tool(called)) != called:
            changed["name"] = name
        if isinstance(calls := message.get("tool_calls"), list) and (fit := self._calls(calls)) != calls:
            changed["tool_calls"] = fit
        left_out = [name for name in _THOUGHTS if name in message] if self.forgets else []
        if not changed and not left_out:
            return message
        return {key: value for key, value in {**message, **changed}.items() if key not in left_out}

    def _calls(self, calls: list[Any]) -> list[Any]:
        fit = [self._call(call) if isinstance(call, dict) else call for call in calls]
        if self.wants_signatures and not any(isinstance(call, dict) and call.get(_EXTRA) for call in fit):
            fit[:1] = [{**call, _EXTRA: _UNSIGNED} if isinstance(call, dict) else call for call in fit[:1]]
        return fit

    def _call(self, call: dict[str, Any]) -> dict[str, Any]:
        fit = call if self.knows_signatures else {key: value for key, value in call.items() if key != _EXTRA}
        if self.rename_tool is not None:
            fit = renamed(fit, self.rename_tool)
        named = self.rename is not None and isinstance(fit.get("id"), str)
        return {**fit, "id": self.rename(fit["id"])} if named and self.rename is not None else fit


def _fitted(
    messages: Sequence[Any], provider: str | None, backend: Backend, taken: re.Pattern[str] | None
) -> Sequence[Any]:
    """The history as this provider takes it; the very same where nothing differs."""
    newest = is_openai(backend)
    is_strange = provider is None  # what else it takes, whoever translates for it knows
    reader = _Reader(
        rename=_short_name if newest else _mistrals_name if provider == "mistral" else None,
        rename_tool=None if taken is None else lambda name: shortened(name, taken),
        forgets=newest or provider in _FORGETFUL,
        knows_developers=newest or is_strange,
        knows_signatures=provider in _PASSES_ON or is_strange,
        wants_signatures=provider == "gemini" and not _SIGNS_NOT.match(backend.model_name),
        wants_plain_texts=provider in _PLAIN,
    )
    fit = [reader.message(message) for message in messages]
    return messages if all(new is old for new, old in zip(fit, messages, strict=True)) else fit


def _short_name(call_id: str) -> str:
    return call_id if len(call_id) <= _LONGEST_NAME else f"call_{hashlib.sha256(call_id.encode()).hexdigest()[:24]}"


def _mistrals_name(call_id: str) -> str:
    if _MISTRALS_NAME.fullmatch(call_id):
        return call_id
    digest = hashlib.sha256(call_id.encode()).digest()
    return "".join(_DIGITS[byte % len(_DIGITS)] for byte in digest[:9])
