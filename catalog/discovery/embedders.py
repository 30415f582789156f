"""Hosted models that turn texts into vectors: a short list, since catalogs of chat models leave them out.

They are asked at `/v1/embeddings` alone and never take part in routing, so a price and a length are all that is needed.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from catalog.pools.backend import Backend
from catalog.profiles.price import Price
from catalog.profiles.profile import ModelProfile
from catalog.profiles.provenance import Provenance, Trust

from .providers import PROVIDERS

__all__ = ["embedders_for_keys"]

# Provider -> (its name for the model, our id, US dollars per million tokens, tokens per text).
# Rates as in the MIT-licensed price map of litellm 1.106.2; providers that do not speak OpenAI's dialect are left out.
_SOLD: Final[Mapping[str, tuple[tuple[str, str, str, int], ...]]] = {
    "openai": (
        ("text-embedding-3-small", "openai/text-embedding-3-small", "0.02", 8_191),
        ("text-embedding-3-large", "openai/text-embedding-3-large", "0.13", 8_191),
    ),
    "gemini": (("gemini-embedding-001", "google/gemini-embedding-001", "0.15", 2_048),),
    "mistral": (
        ("mistral-embed", "mistralai/mistral-embed", "0.1", 8_192),
        ("codestral-embed", "mistralai/codestral-embed", "0.15", 8_192),
    ),
    "together_ai": (("BAAI/bge-base-en-v1.5", "baai/bge-base-en-v1.5", "0.008", 512),),
    "fireworks_ai": (("accounts/fireworks/models/qwen3-embedding-8b", "qwen/qwen3-embedding-8b", "0.1", 40_960),),
    "nebius": (
        ("Qwen/Qwen3-Embedding-8B", "qwen/qwen3-embedding-8b", "0.01", 40_960),
        ("BAAI/bge-multilingual-gemma2", "baai/bge-multilingual-gemma2", "0.01", 8_192),
    ),
    "novita": (
        ("qwen/qwen3-embedding-8b", "qwen/qwen3-embedding-8b", "0.07", 32_768),
        ("baai/bge-m3", "baai/bge-m3", "0.01", 8_192),
    ),
    "voyage": (
        ("voyage-4-large", "voyageai/voyage-4-large", "0.12", 32_000),
        ("voyage-4-lite", "voyageai/voyage-4-lite", "0.02", 32_000),
        ("voyage-code-3", "voyageai/voyage-code-3", "0.18", 32_000),
    ),
}
_SOURCE: Final = Provenance(source="litellm price map 1.106.2", trust=Trust.LINKED)


def embedders_for_keys(environ: Mapping[str, str]) -> tuple[tuple[ModelProfile, Backend], ...]:
    """Every listed model of each provider whose key is set; of `environ` only the names of variables are kept."""
    found = []
    for provider_id, models in _SOLD.items():
        provider = PROVIDERS[provider_id]
        variable = next((name for name in provider.key_variables if environ.get(name)), None)
        if variable is None:
            continue
        for model_name, profile_id, usd_per_mtok, tokens in models:
            price = Price(input_usd_per_mtok=Decimal(usd_per_mtok), output_usd_per_mtok=Decimal(0))
            backend = Backend(
                id=f"{provider.id}:{model_name}",
                profile_id=profile_id,
                kind=provider.kind,
                provider=provider.id,
                model_name=model_name,
                base_url=provider.base_url,
                api_key_env=variable,
                region=provider.region,
                privacy=provider.privacy,
                price=price,
                context_tokens=tokens,
            )
            found.append((_profile(profile_id), backend))
    return tuple(found)


def _profile(profile_id: str) -> ModelProfile:
    return ModelProfile(
        id=profile_id,
        name=profile_id.partition("/")[2],
        modalities_in=frozenset({"text"}),
        modalities_out=frozenset({"embedding"}),
        capabilities=frozenset(),
        provenance={"modalities_out": _SOURCE},
    )
