"""Whom requests may go to: backends that are configured, those that join by themselves, and how they are watched."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, field_validator, model_validator

from catalog import Backend, BackendKind, DeploymentTier, Limits, Price, PrivacyTier

from .extra_parameters import check_parameter
from .section import Count, NotNegative, Positive, Section, Share

__all__ = [
    "BackendSettings",
    "CanarySettings",
    "DiscoverySettings",
    "EmbeddedSettings",
    "LimitSettings",
    "PriceSettings",
    "ScrapingSettings",
]


_USUAL_URLS = {"anthropic": "https://api.anthropic.com/v1"}  # of kinds that have one maker


class PriceSettings(Section):
    """What a backend charges, US dollars per million tokens; web searches of its own, per thousand."""

    input: NotNegative
    output: NotNegative
    cached_input: NotNegative | None = None
    cache_write: NotNegative | None = None
    search_per_thousand: NotNegative | None = None
    long_context_above_tokens: Count | None = None
    long_context: "PriceSettings | None" = None

    @model_validator(mode="after")
    def _long_context_is_whole(self) -> Self:
        if (self.long_context is None) != (self.long_context_above_tokens is None):
            raise ValueError("long_context and long_context_above_tokens must be given together")
        return self

    def price(self) -> Price:
        """The same as the catalog has it."""

        def rate(value: float | None) -> Decimal | None:
            return None if value is None else Decimal(str(value))

        return Price(
            input_usd_per_mtok=Decimal(str(self.input)),
            output_usd_per_mtok=Decimal(str(self.output)),
            cached_input_usd_per_mtok=rate(self.cached_input),
            cache_write_usd_per_mtok=rate(self.cache_write),
            search_usd_per_thousand=rate(self.search_per_thousand),
            long_context=self.long_context.price() if self.long_context else None,
            long_context_above_tokens=self.long_context_above_tokens,
        )


class LimitSettings(Section):
    """How much a backend may be asked for."""

    max_concurrency: Count | None = None
    requests_per_minute: Count | None = None
    timeout_s: Positive = 600.0
    first_token_timeout_s: Positive = 60.0
    stall_timeout_s: Positive = 60.0
    max_waiting: Annotated[int, Field(ge=0)] | None = None  # of vLLM and llama.cpp: requests that queue there
    max_cache_use: Share | None = None  # likewise: how full their key-value cache may be

    def limits(self) -> Limits:
        """The same as the catalog has it."""
        return Limits(**self.model_dump())


class BackendSettings(Section):
    """One endpoint that serves one model: `[[backends]]`."""

    id: Annotated[str, Field(min_length=1)]
    profile: Annotated[str, Field(min_length=1)]  # a catalog id, an alias or an unambiguous bare name
    kind: BackendKind
    model: str | None = None  # the name this endpoint knows the model by; the profile's bare name where left out
    provider: str | None = None
    base_url: str | None = None
    api_key_env: str | None = None
    region: str | None = None
    privacy: PrivacyTier = "any"
    tier: DeploymentTier = "cloud"
    quantization: str | None = None
    price: PriceSettings | None = None
    context_tokens: Count | None = None
    limits: LimitSettings = LimitSettings()
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    extra_parameters: tuple[Annotated[str, AfterValidator(check_parameter)], ...] = ()  # of kind litellm

    @field_validator("base_url")
    @classmethod
    def _is_http(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("an endpoint starts with http:// or https://")
        return value

    @model_validator(mode="after")
    def _has_an_endpoint(self) -> Self:
        if self.base_url is None and self.kind in {"openai", "vllm", "llama_cpp", "ollama"}:
            raise ValueError(f"a backend of kind {self.kind} needs base_url")
        return self

    @model_validator(mode="after")
    def _is_told_by_litellm(self) -> Self:
        if self.extra_parameters and self.kind != "litellm":
            raise ValueError(f"extra_parameters are for kind litellm; {self.kind} is told what a request has as it is")
        return self

    def backend(self, profile_id: str) -> Backend:
        """The same as the catalog has it, once the profile is known."""
        return Backend(
            id=self.id,
            profile_id=profile_id,
            kind=self.kind,
            provider=self.provider or profile_id.partition("/")[0],
            model_name=self.model or profile_id.partition("/")[2],
            base_url=self.base_url.rstrip("/") if self.base_url else _USUAL_URLS.get(self.kind),
            api_key_env=self.api_key_env,
            region=self.region,
            privacy=self.privacy,
            tier=self.tier,
            quantization=self.quantization,
            price=self.price.price() if self.price else None,
            context_tokens=self.context_tokens,
            limits=self.limits.limits(),
            headers={name: value.get_secret_value() for name, value in self.headers.items()},
            extra_parameters=frozenset(self.extra_parameters),
        )


class EmbeddedSettings(Section):
    """The language model that runs here, without a key."""

    enabled: Literal["auto", "on", "off"] = "auto"  # auto: where it is installed
    gguf: Path | None = None  # another model file; the profile then says which model it is
    profile: str = "SmolLM2-135M-Instruct"
    threads: Count = 1  # more wait for each other at every layer: on a busy machine that is a hundred times slower
    context_tokens: Count = 4096  # of each request
    slots: Count = 2  # requests at a time


class DiscoverySettings(Section):
    """Which backends may join by themselves."""

    environment_keys: bool = True  # OPENAI_API_KEY, ANTHROPIC_API_KEY, ...
    loopback: bool = True  # Ollama, vLLM, LM Studio and llama.cpp on this machine
    loopback_urls: tuple[str, ...] | None = None  # instead of their usual ports
    adapters_every_s: NotNegative = 30.0  # of configured vLLM servers; 0: at the start only


class ScrapingSettings(Section):
    """How often vLLM and llama.cpp servers are asked how busy they are."""

    every_s: NotNegative = 1.0  # 0: never
    timeout_s: Positive = 0.5
    stale_after_s: Positive = 10.0  # after which a reading is forgotten


class CanarySettings(Section):
    """Whether each backend is still the model it claims to be, asked on a schedule."""

    files: tuple[Path, ...] = ()  # what `paretogate probe --what canary` wrote, or folders of it
    every_s: Positive | None = None  # never where left out
    calls_per_day: Count = 1_000  # of all backends and workers together
    significance: Annotated[float, Field(gt=0, lt=1)] = 1e-4  # of false alarms, per check of one backend
    on_mismatch: Literal["warn", "rest"] = "warn"  # rest: ask it for nothing until its answers fit again
