"""The ways to backends: one for each kind of provider."""

from collections.abc import Mapping
from contextlib import AsyncExitStack

from .protocol import Upstream
from .proxies import Proxy
from .refusals import secrets_in

__all__ = ["open_upstreams"]

_AS_OPENAI = ("openai", "vllm", "llama_cpp", "ollama", "embedded", "fake")  # kinds of backends that speak so


def open_upstreams(
    stack: AsyncExitStack, *, api_keys: Mapping[str, str], proxy: Proxy | None, environ: Mapping[str, str]
) -> Mapping[str, Upstream]:
    """By kind of backend; the stack closes them.

    Args:
        stack: of what is to be closed at the end.
        api_keys: by backend.
        proxy: on the way to them.
        environ: read for the key and the secrets that LiteLLM would find by itself.
    """
    # The HTTP client is a fifth of the import; whoever brings upstreams of his own, or only looks, does without.
    from .anthropic import AnthropicUpstream  # noqa: PLC0415
    from .litellm import LiteLLMUpstream  # noqa: PLC0415
    from .openai import OpenAIUpstream  # noqa: PLC0415

    direct = OpenAIUpstream(api_keys=api_keys, proxy=proxy)
    anthropic = AnthropicUpstream(api_keys=api_keys, proxy=proxy)
    usual_key = environ.get("OPENAI_API_KEY", "")
    translated = LiteLLMUpstream(  # which reads the environment by itself
        api_keys=api_keys, direct=direct, usual_key=usual_key, secrets=secrets_in(environ)
    )
    for upstream in (direct, translated, anthropic):
        stack.push_async_callback(upstream.close)
    return {**dict.fromkeys(_AS_OPENAI, direct), "litellm": translated, "anthropic": anthropic}
