"""Which variant of OpenAI's protocol a backend speaks: all that follows from the backend alone, made once for each.

Source: the providers' API references.
"""

import re
from typing import Final
from urllib.parse import urlsplit

from catalog import Backend, record
from catalog.discovery.providers import PROVIDERS
from catalog.identity_cache import IdentityCache
from catalog.pools.openai_models import may_reason

from .tool_names import NAMES, NAMES_AT

__all__ = ["BY_RESPONSES", "Variant", "variant_of"]

BY_RESPONSES: Final = "openai/responses/"
"""Before a model's name: litellm translates, and OpenAI answers."""

_KINDS = ("openai", "vllm", "llama_cpp", "ollama", "embedded")  # others are translated elsewhere
_REFUSES_EXCESS_TOKENS = frozenset({"anthropic", "gemini"})  # as OpenAI does: a limit above what the model can give


@record
class Variant:
    """How one backend's protocol differs from the next one's."""

    provider: str | None  # whose variant it is; None where that is unknown
    is_openai: bool  # OpenAI itself: its open models are served by others, whose newest words are fewer
    reasoning_model: str | None  # OpenAI's name of a model that may refuse sampling parameters; None for all others
    tool_names: re.Pattern[str] | None  # of tools that are taken there; None where all are, as by open models' servers
    refuses_excess_tokens: bool

    @property
    def is_plain(self) -> bool:
        """Whatever a client sends may be sent on."""
        differs = self.refuses_excess_tokens or self.reasoning_model is not None
        return not differs and self.provider is None and self.tool_names is None


def _variant(backend: Backend) -> Variant:
    provider = _provider_of(backend)
    is_openai = backend.kind == "openai" and provider == "openai" and "gpt-oss" not in backend.model_name
    name = backend.model_name.removeprefix(BY_RESPONSES)
    is_theirs = is_openai or name != backend.model_name
    return Variant(
        provider=provider,
        is_openai=is_openai,
        reasoning_model=name if is_theirs and may_reason(name) else None,
        tool_names=_tool_names_at(backend, provider),
        refuses_excess_tokens=is_openai or (provider or backend.provider) in _REFUSES_EXCESS_TOKENS,
    )


variant_of = IdentityCache(_variant, most=4_096)
"""The variant that a backend speaks."""


def _provider_of(backend: Backend) -> str | None:
    if backend.kind not in _KINDS:
        return None
    provider = _provider_at(backend.base_url) or backend.provider
    return provider if backend.kind != "openai" or provider in PROVIDERS else None


def _provider_at(url: str | None) -> str | None:
    """Whose address it is, whatever the operator calls it."""
    host = urlsplit(url).hostname if url else None
    addresses = ((p.id, p.base_url) for p in PROVIDERS.values() if p.base_url is not None)
    return next((name for name, base_url in addresses if urlsplit(base_url).hostname == host), None) if host else None


def _tool_names_at(backend: Backend, provider: str | None) -> re.Pattern[str] | None:
    if backend.kind in ("litellm", "anthropic"):
        return NAMES_AT.get(backend.provider, NAMES)
    return NAMES_AT.get(provider, NAMES) if backend.kind == "openai" and provider is not None else None
