"""Who may come in, how much of it, and what is told of it: the server, keys, privacy, stored Responses, telemetry."""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from .section import Count, Positive, Section

__all__ = ["AuthSettings", "PrivacySettings", "ResponseSettings", "ServerSettings", "TelemetrySettings"]

PrivacyMode = Literal["off", "redact", "local"]


def _origin(told: str) -> str:
    parts = urlsplit(told)
    if told != "*" and (not parts.hostname or told != f"{parts.scheme}://{parts.netloc}".lower()):
        raise ValueError(f"{told!r} is no origin; write it as browsers do, such as https://app.example, or *")
    return told


def _without_brackets(host: str) -> str:
    """`[::1]`, as addresses of IPv6 stand in a URL, is `::1`."""
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


class ServerSettings(Section):
    """The door: where it is, and how much may come through."""

    host: Annotated[str, AfterValidator(_without_brackets)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8321  # 0: any free port
    workers: Count = 1
    max_body_bytes: Count = 10 << 20
    max_concurrency: Count = 1024
    request_timeout_s: Positive = 600.0
    # How long after a request came or went the process looks for the next event without sleeping; it burns a core.
    idle_poll_ms: Annotated[float, Field(ge=0, le=10_000)] = 0.0
    # How often a request is rehearsed while they come, but seldom, so that caches stay warm; 0: never.
    rehearse_ms: Annotated[float, Field(ge=0, le=10_000)] = 20.0
    # Whose web pages may call from a browser, such as https://app.example; * is everybody's.
    cors_origins: tuple[Annotated[str, AfterValidator(_origin)], ...] = ()


class AuthSettings(Section):
    """Who may come in."""

    required: bool | None = None  # an API key; where left out: once there are keys and others can reach the address
    allow_open: bool = False  # let everybody in who can reach an address beyond loopback, without a key
    keys: Path | None = None  # the key file; in the state directory where left out


class PrivacySettings(Section):
    """What prompts may do and where they may go."""

    prompt_flags: bool = False  # obey `[Flag: ...]` in prompts, which can come from strangers
    mode: PrivacyMode = "off"  # of personal data: pass it, redact and restore it, or keep its prompts on local backends
    phone_region: Annotated[str, Field(pattern="^[A-Z]{2}$")] | None = None  # of phone numbers without a country code


class ResponseSettings(Section):
    """Whether Responses are stored for a while, as OpenAI's clients expect, and where; what of them may be let go."""

    store: Literal["auto", "off", "memory", "sqlite", "redis"] = (
        "auto"  # redis where `state` is, else the memory of a single worker; of several workers: off
    )
    keep_s: Positive = 3_600.0
    max_per_tenant: Count = 1_000
    max_mb: Count = 64  # of all tenants together, in memory or in SQLite
    max_kb_each: Count = 1_024  # longer conversations are not stored
    # Kinds of tools that run at OpenAI, such as web_search, without which models may be asked that have no such tools.
    optional_tools: tuple[str, ...] = ()


class TelemetrySettings(Section):
    """What is said about the running gateway."""

    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    log_format: Literal["console", "json"] = "console"
    metrics: bool = True
    otlp: Literal["auto", "on", "off"] = "auto"  # traces and GenAI metrics; auto: where an endpoint is named
    otlp_endpoint: str | None = None  # http://HOST:4318; else what the usual OTEL_* variables say
