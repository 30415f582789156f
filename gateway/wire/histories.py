"""The messages of a history, as one provider takes them; see `compatibility`."""

import hashlib
import re
from collections.abc import Callable, Sequence
from typing import Any

from catalog import Backend, record
from catalog.identity_cache import IdentityCache

from .tool_names import renamed, shortened
from .variants import variant_of

__all__ = ["fitted_messages", "plain_text"]

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


def fitted_messages(messages: Sequence[Any], backend: Backend) -> Sequence[Any]:
    """The history as this backend takes it; the very same object where nothing differs."""
    fitted = _rules(backend).fitted
    fit = [fitted(message) for message in messages]
    return messages if all(new is old for new, old in zip(fit, messages, strict=True)) else fit


def plain_text(content: object) -> str | None:
    """A list of parts that are texts and nothing else, as one text; None where it is anything else."""
    if not isinstance(content, list) or not content:
        return None
    if not all(isinstance(part, dict) and part.keys() == {"type", "text"} for part in content):
        return None
    return "\n".join(str(part["text"]) for part in content)


@record
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


def _message_rules(backend: Backend) -> _MessageRules:
    variant = variant_of(backend)
    provider, newest, taken = variant.provider, variant.is_openai, variant.tool_names
    is_unknown = provider is None  # what else it takes, whoever translates for it knows
    return _MessageRules(
        call_id=_openai_call_id if newest else _mistral_call_id if provider == "mistral" else None,
        tool_name=None if taken is None else lambda name: shortened(name, taken),
        drops_reasoning=newest or provider in _REFUSES_REASONING,
        has_developer_role=newest or is_unknown,
        keeps_signatures=provider in _KNOWS_SIGNATURES or is_unknown,
        needs_signatures=provider == "gemini" and not _UNSIGNED_GEMINI.match(backend.model_name),
        wants_plain_text=provider in _WANTS_PLAIN_TEXT,
    )


def _openai_call_id(call_id: str) -> str:
    if len(call_id) <= _MAX_CALL_ID_CHARS:
        return call_id
    return f"call_{hashlib.sha256(call_id.encode()).hexdigest()[:24]}"


def _mistral_call_id(call_id: str) -> str:
    if _MISTRAL_CALL_ID.fullmatch(call_id):
        return call_id
    digest = hashlib.sha256(call_id.encode()).digest()
    return "".join(_BASE_62[byte % len(_BASE_62)] for byte in digest[:9])


_rules = IdentityCache(_message_rules, most=4_096)
