"""Providers that people hold keys of: the variable that names the key, the address, and what a key opens."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from catalog.pools.backend import Backend, BackendKind, PrivacyTier
from catalog.profiles.offer import Offer
from catalog.registry import Catalog

__all__ = ["PROVIDERS", "Provider", "backends_for_keys", "bills_calls"]

_MOST_PER_PROVIDER = 40
_MOVING = re.compile(r"-(?:latest|beta|exp|experimental)(?:-|$)")
_SNAPSHOT = re.compile(r"-(?:\d{8}|\d{4}|preview(?:-[\d-]+)?|\d\d-20\d\d)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """How to reach one provider. Privacy is what its paid API promises by default; an operator may know better."""

    id: str
    key_variables: tuple[str, ...]  # the first that is set is used; none where a key of theirs opens no chats
    kind: BackendKind
    base_url: str | None = None  # where it speaks OpenAI's dialect, or its own where `kind` is anthropic
    privacy: PrivacyTier = "any"
    region: str | None = None
    litellm_prefix: str = ""
    bills_calls: bool = False  # says with each answer what it charges, in US dollars


def _openai(
    provider: str,
    variables: str,
    base_url: str,
    *,
    privacy: PrivacyTier = "any",
    region: str | None = None,
    bills_calls: bool = False,
) -> Provider:
    """`variables`: the names that its key goes by, with spaces between."""
    return Provider(
        id=provider,
        key_variables=tuple(variables.split()),
        kind="openai",
        base_url=base_url,
        privacy=privacy,
        region=region,
        bills_calls=bills_calls,
    )


_ALL = (
    _openai("openai", "OPENAI_API_KEY", "https://api.openai.com/v1", privacy="no_training", region="us"),
    Provider(
        id="anthropic",
        key_variables=("ANTHROPIC_API_KEY",),
        kind="anthropic",
        base_url="https://api.anthropic.com/v1",
        privacy="no_training",
        region="us",
    ),
    Provider(
        id="gemini",
        key_variables=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        kind="openai",
        base_url="https://generativelanguage.googleapis.com/v1beta/openai",
    ),
    _openai("mistral", "MISTRAL_API_KEY", "https://api.mistral.ai/v1", region="eu"),
    _openai("groq", "GROQ_API_KEY", "https://api.groq.com/openai/v1", privacy="no_training", region="us"),
    _openai("deepseek", "DEEPSEEK_API_KEY", "https://api.deepseek.com/v1", region="cn"),
    _openai(
        "together_ai",
        "TOGETHER_API_KEY TOGETHERAI_API_KEY",
        "https://api.together.xyz/v1",
        privacy="no_training",
        region="us",
    ),
    _openai(
        "fireworks_ai",
        "FIREWORKS_API_KEY FIREWORKS_AI_API_KEY",
        "https://api.fireworks.ai/inference/v1",
        privacy="no_retention",
        region="us",
    ),
    _openai("openrouter", "OPENROUTER_API_KEY", "https://openrouter.ai/api/v1", bills_calls=True),
    _openai("xai", "XAI_API_KEY", "https://api.x.ai/v1", privacy="no_training", region="us", bills_calls=True),
    _openai("cerebras", "CEREBRAS_API_KEY", "https://api.cerebras.ai/v1", privacy="no_retention", region="us"),
    # Its chat completions ended on 27 September 2026, and nothing here speaks its Agent API: its key opens nothing.
    Provider(id="perplexity", key_variables=(), kind="litellm", litellm_prefix="perplexity/", bills_calls=True),
    _openai(
        "deepinfra", "DEEPINFRA_API_KEY", "https://api.deepinfra.com/v1/openai", privacy="no_retention", region="us"
    ),
    _openai("nebius", "NEBIUS_API_KEY", "https://api.tokenfactory.nebius.com/v1", region="eu"),
    _openai("novita", "NOVITA_API_KEY", "https://api.novita.ai/v3/openai"),
    _openai("sambanova", "SAMBANOVA_API_KEY", "https://api.sambanova.ai/v1", region="us"),
    _openai("hyperbolic", "HYPERBOLIC_API_KEY", "https://api.hyperbolic.xyz/v1", region="us"),
    _openai("moonshot", "MOONSHOT_API_KEY", "https://api.moonshot.ai/v1"),
    _openai("dashscope", "DASHSCOPE_API_KEY", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"),
    _openai("zai", "ZAI_API_KEY", "https://api.z.ai/api/paas/v4"),
    _openai("minimax", "MINIMAX_API_KEY", "https://api.minimax.io/v1"),
    _openai("vercel_ai_gateway", "AI_GATEWAY_API_KEY VERCEL_AI_GATEWAY_API_KEY", "https://ai-gateway.vercel.sh/v1"),
    _openai("scaleway", "SCW_SECRET_KEY", "https://api.scaleway.ai/v1", region="eu"),
    _openai("ovhcloud", "OVHCLOUD_API_KEY", "https://oai.endpoints.kepler.ai.cloud.ovh.net/v1", region="eu"),
    _openai("nscale", "NSCALE_API_KEY", "https://inference.api.nscale.com/v1"),
    _openai("baseten", "BASETEN_API_KEY", "https://inference.baseten.co/v1", region="us"),
    _openai("lambda_ai", "LAMBDA_API_KEY", "https://api.lambda.ai/v1", region="us"),
    _openai("gmi", "GMI_API_KEY", "https://api.gmi-serving.com/v1"),
    _openai("friendliai", "FRIENDLI_TOKEN FRIENDLIAI_API_KEY", "https://api.friendli.ai/serverless/v1"),
    _openai("inception", "INCEPTION_API_KEY", "https://api.inceptionlabs.ai/v1", region="us"),
    _openai("morph", "MORPH_API_KEY", "https://api.morphllm.com/v1", region="us"),
    _openai("meta", "LLAMA_API_KEY", "https://api.llama.com/compat/v1", region="us"),
    _openai("crusoe", "CRUSOE_API_KEY", "https://managed-inference-api-proxy.crusoecloud.com/v1", region="us"),
    _openai("voyage", "VOYAGE_API_KEY", "https://api.voyageai.com/v1"),  # embeddings only
    # Of its own protocol litellm 1.106 reads no stream, and takes every end for "stop".
    _openai("cohere", "COHERE_API_KEY CO_API_KEY", "https://api.cohere.ai/compatibility/v1"),
    Provider(
        id="bedrock",
        key_variables=("AWS_BEARER_TOKEN_BEDROCK",),  # general AWS keys are held for other reasons, too
        kind="litellm",
        litellm_prefix="bedrock/",
        privacy="no_training",
    ),
    Provider(id="ai21", key_variables=("AI21_API_KEY",), kind="litellm", litellm_prefix="ai21/"),
)
PROVIDERS: Mapping[str, Provider] = MappingProxyType({provider.id: provider for provider in _ALL})


def bills_calls(provider: str) -> bool:
    """Whether a provider says with each answer what it charges: of an unknown one the unit would be a guess."""
    known = PROVIDERS.get(provider)
    return known is not None and known.bills_calls


def backends_for_keys(catalog: Catalog, environ: Mapping[str, str]) -> tuple[Backend, ...]:
    """A backend for every current chat model of each provider whose key is set.

    Current means: the provider's price list has it with both rates, and has announced no date on which it retires.
    Names that move (`-latest`), trials (`-beta`, `-exp`) and snapshots of a model that is sold undated are left out.
    Of several names for one profile the shortest is taken, which providers keep pointing at the newest snapshot.
    Of each provider at most the 40 newest models are taken, so that a router with hundreds of hosts stays a choice.
    """
    keyed = {
        provider.id: variable
        for provider in PROVIDERS.values()
        if (variable := next((v for v in provider.key_variables if environ.get(v)), None)) is not None
    }
    if not keyed:
        return ()
    sold: dict[str, dict[str, Offer]] = {provider: {} for provider in keyed}
    for model_id in catalog.ids:
        for offer in catalog.offers(model_id):
            if offer.provider in sold and offer.price is not None and offer.retires is None:
                best = sold[offer.provider].setdefault(model_id, offer)
                if len(offer.model_name) < len(best.model_name):
                    sold[offer.provider][model_id] = offer
    for offers in sold.values():
        for model_id in [model_id for model_id in offers if _passing(model_id, offers)]:
            del offers[model_id]
    return tuple(
        _backend(PROVIDERS[provider], offer, variable)
        for provider, variable in keyed.items()
        for offer in _newest(catalog, sold[provider])
    )


def _passing(model_id: str, sold: Mapping[str, Offer]) -> bool:
    """Is this a moving name, a trial, or a snapshot of a model that is sold under its own name."""
    if _MOVING.search(model_id):
        return True
    undated = _SNAPSHOT.sub("", model_id)
    return undated != model_id and undated in sold


def _newest(catalog: Catalog, sold: Mapping[str, Offer]) -> list[Offer]:
    def age(model_id: str) -> int:
        released = catalog[model_id].released
        return released.toordinal() if released else 0

    newest = sorted(sold, key=lambda model_id: (-age(model_id), model_id))[:_MOST_PER_PROVIDER]
    return [sold[model_id] for model_id in sorted(newest)]


def _model_name(provider: Provider, offer: Offer) -> str:
    """A chat with a model that knows only Responses is translated by litellm, which is told so by the name."""
    if offer.only_responses:
        return f"{provider.id}/responses/{offer.model_name}"
    return provider.litellm_prefix + offer.model_name


def _backend(provider: Provider, offer: Offer, variable: str) -> Backend:
    return Backend(
        id=f"{provider.id}:{offer.model_name}",
        profile_id=offer.profile_id,
        kind="litellm" if offer.only_responses else provider.kind,
        provider=provider.id,
        model_name=_model_name(provider, offer),
        base_url=None if offer.only_responses else provider.base_url,
        api_key_env=variable,
        region=provider.region,
        privacy=provider.privacy,
        price=offer.price,
        context_tokens=offer.context_tokens,
    )
