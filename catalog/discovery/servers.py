"""Model servers that run on this machine: ask the usual ports what they serve.

Every OpenAI-compatible server answers `/v1/models`; Ollama says more at `/api/tags`. A server that does not answer
in time, or answers nonsense or without end, is not there. What runs at home costs nothing and sees nobody else's data.

vLLM lists the LoRA adapters that it has loaded beside their base model, their `parent`: each is a model of its own,
of its base's size and limits. What a catalog knows beyond that of the base is joined by `inherit`.
"""

import asyncio
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

import httpx

from catalog.errors import CatalogError
from catalog.identity import model_key, owner_of
from catalog.pools.backend import Backend, BackendKind
from catalog.profiles.chat import special_task
from catalog.profiles.price import MOST_TOKENS, Price
from catalog.profiles.profile import ModelProfile
from catalog.profiles.provenance import Provenance, Trust
from catalog.registry import Catalog

__all__ = ["DEFAULT_LOOPBACK", "discover", "discover_adapters", "inherit"]

DEFAULT_LOOPBACK = (
    "http://127.0.0.1:11434",  # Ollama
    "http://127.0.0.1:8000",  # vLLM
    "http://127.0.0.1:1234",  # LM Studio
    "http://127.0.0.1:8080",  # llama.cpp
)
_TIMEOUT_S = 0.6
_MOST_BYTES = 2_000_000
_MOST_MODELS = 200
_MOST_CHARS = 256  # of a name, which stands in logs, metrics and pages
_MOST_PARAMS_B = 1e6
_FREE = Price(input_usd_per_mtok=Decimal(0), output_usd_per_mtok=Decimal(0))


async def discover(
    client: httpx.AsyncClient, *, urls: Sequence[str] = DEFAULT_LOOPBACK
) -> tuple[tuple[ModelProfile, Backend], ...]:
    """Every model served at these addresses, with a profile of what its server tells of it, in the order of `urls`.

    Addresses are asked at the same time and have 0.6 s each. Nothing is raised for a server that is absent or broken.
    """
    found = await asyncio.gather(*(_ask(client, url.rstrip("/").removesuffix("/v1")) for url in urls))
    return tuple(pair for pairs in found for pair in pairs)


async def discover_adapters(
    client: httpx.AsyncClient, backend: Backend, *, api_key: str | None = None, timeout_s: float = _TIMEOUT_S
) -> tuple[tuple[ModelProfile, Backend], ...] | None:
    """The LoRA adapters at a vLLM server whose base model is known as this backend.

    Each is a backend like its base in all but the names. Nothing is raised for a server that is absent or broken: it
    is None that has told nothing.
    """
    headers = {**backend.headers, **({"authorization": f"Bearer {api_key}"} if api_key else {})}
    listed = await _get(client, backend.address("/models"), headers, timeout_s=timeout_s)
    entries = listed.get("data") if listed is not None else None
    if not isinstance(entries, list):
        return None
    names = [
        name
        for entry in entries[:_MOST_MODELS]
        if isinstance(entry, dict) and entry.get("parent") == backend.model_name and (name := _text(entry.get("id")))
    ]
    return tuple(
        (profile, replace(backend, id=f"{backend.id}:{name}", profile_id=profile.id, model_name=name))
        for name in names
        if (profile := _adapter(name, backend.profile_id)) is not None
    )


def inherit(catalog: Catalog, profiles: Iterable[ModelProfile]) -> tuple[ModelProfile, ...]:
    """These profiles, each adapter among them with everything that the catalog knows of its base."""
    return tuple(
        replace(base, id=profile.id, name=profile.name, aliases=profile.aliases, base_model=base.id)
        if profile.base_model and (base := catalog.get(profile.base_model)) is not None
        else profile
        for profile in profiles
    )


async def _ask(client: httpx.AsyncClient, url: str) -> list[tuple[ModelProfile, Backend]]:
    tags = await _get(client, f"{url}/api/tags")
    if tags is not None and isinstance(tags.get("models"), list):
        return _pairs([_from_ollama(entry, url) for entry in tags["models"][:_MOST_MODELS]])
    listed = await _get(client, f"{url}/v1/models")
    if listed is None or not isinstance(listed.get("data"), list):
        return []
    entries = [entry for entry in listed["data"][:_MOST_MODELS] if isinstance(entry, dict)]
    served = {found[1].model_name: found for entry in entries if (found := _from_openai(entry, url)) is not None}
    for entry in entries:
        adapter, base = _text(entry.get("id")), served.get(_text(entry.get("parent")) or "")
        if adapter is not None and base is not None and (profile := _adapter(adapter, base[0].id)) is not None:
            backend_id = _backend_id(base[1].kind, url, adapter)
            served[adapter] = (
                replace(profile, params_total_b=base[0].params_total_b, provenance=base[0].provenance),
                replace(base[1], id=backend_id, profile_id=profile.id, model_name=adapter),
            )
    return list(served.values())


async def _get(
    client: httpx.AsyncClient, url: str, headers: Mapping[str, str] | None = None, *, timeout_s: float = _TIMEOUT_S
) -> dict[str, Any] | None:
    asked = {**(headers or {}), "accept-encoding": "identity"}  # nobody knows what is packed before it is unpacked
    try:
        async with (
            asyncio.timeout(timeout_s),
            client.stream("GET", url, headers=asked, timeout=timeout_s, follow_redirects=False) as response,
        ):
            if response.status_code != httpx.codes.OK or (body := await _bounded(response)) is None:
                return None
        document = json.loads(body)
    except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


async def _bounded(response: httpx.Response) -> bytes | None:
    """The body; None where it is packed, or longer than any list of models."""
    if response.headers.get("content-encoding", "identity") != "identity":
        return None
    parts, size = [], 0
    async for part in response.aiter_bytes():
        parts.append(part)
        size += len(part)
        if size > _MOST_BYTES:
            return None
    return b"".join(parts)


def _pairs(found: Sequence[tuple[ModelProfile, Backend] | None]) -> list[tuple[ModelProfile, Backend]]:
    return [pair for pair in found if pair is not None]


def _from_ollama(entry: object, url: str) -> tuple[ModelProfile, Backend] | None:
    if not isinstance(entry, dict) or not (name := _text(entry.get("name"))):
        return None
    details = entry.get("details")
    told = details if isinstance(details, dict) else {}
    return _pair(
        name,
        url=url,
        kind="ollama",
        quantization=_text(told.get("quantization_level")),
        facts={
            "family": _text(told.get("family")),
            "params_total_b": _size_b(_text(told.get("parameter_size"))),
            "digest": _text(entry.get("digest")),
        },
    )


def _from_openai(entry: object, url: str) -> tuple[ModelProfile, Backend] | None:
    if not isinstance(entry, dict) or not (name := _text(entry.get("id"))):
        return None
    server = _text(entry.get("owned_by"))
    meta = entry.get("meta")
    told = meta if isinstance(meta, dict) else {}
    kinds: Mapping[str | None, BackendKind] = {"vllm": "vllm", "llamacpp": "llama_cpp"}
    n_params = _count(told.get("n_params"))
    return _pair(
        name,
        url=url,
        kind=kinds.get(server, "openai"),
        context_tokens=_count(entry.get("max_model_len"))
        or _count(told.get("n_ctx"))
        or _count(told.get("n_ctx_train")),
        facts={"params_total_b": n_params / 1e9 if n_params else None},
    )


def _pair(
    name: str,
    *,
    url: str,
    kind: BackendKind,
    facts: Mapping[str, Any],
    quantization: str | None = None,
    context_tokens: int | None = None,
) -> tuple[ModelProfile, Backend] | None:
    key = model_key(re.sub(r"\.gguf$", "", name.replace("\\", "/"), flags=re.IGNORECASE))
    stated = {field: value for field, value in (*facts.items(), *_task_facts(key).items()) if value is not None}
    host = urlsplit(url).netloc
    source = Provenance(source=f"{kind} at {host}", trust=Trust.LINKED)
    try:
        profile = ModelProfile(
            id=f"{owner_of(key) or 'local'}/{key}",
            name=key,
            aliases=(name,) if name != key else (),
            provenance=MappingProxyType(dict.fromkeys(stated, source)),
            **stated,
        )
        backend = Backend(
            id=_backend_id(kind, url, name),
            profile_id=profile.id,
            kind=kind,
            provider="local",
            model_name=name,
            base_url=f"{url}/v1",
            privacy="local",
            tier="device",
            quantization=quantization,
            price=_FREE,
            context_tokens=context_tokens,
        )
    except CatalogError:
        return None
    return profile, backend


def _adapter(name: str, base_id: str) -> ModelProfile | None:
    """What is known of an adapter by itself: its name, which is whatever an operator chose, and its base."""
    key = model_key(name.replace("\\", "/"))
    try:
        return ModelProfile(id=f"adapter/{key}", name=key, aliases=(name,) if name != key else (), base_model=base_id)
    except CatalogError:
        return None


def _backend_id(kind: BackendKind, url: str, name: str) -> str:
    return f"{kind}@{urlsplit(url).netloc}:{name}"


def _task_facts(key: str) -> Mapping[str, Any]:
    """What goes in and comes out of a model that embeds; servers do not say so, only its name does."""
    task = special_task(key)
    if task is None or task.name != "embedding":
        return {}
    return {"modalities_in": task.modalities_in, "modalities_out": task.modalities_out}


def _text(value: object) -> str | None:
    """A line of text without control characters, such as those by which terminals are told what to do."""
    text = value.strip() if isinstance(value, str) and len(value) <= _MOST_CHARS else ""
    return text if text and text.isprintable() else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MOST_TOKENS else None


def _size_b(text: str | None) -> float | None:
    """`8.0B`, `494.03M` or `137K` in billions of parameters."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMBT])", text or "", flags=re.IGNORECASE)
    if not found or not (size := float(found[1])):
        return None
    size *= {"K": 1e-6, "M": 1e-3, "B": 1.0, "T": 1e3}[found[2].upper()]
    return size if size <= _MOST_PARAMS_B else None
