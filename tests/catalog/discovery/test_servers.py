import asyncio
import gzip
import json
from contextlib import suppress
from dataclasses import replace

import httpx
import pytest

from catalog import Backend, Catalog, ModelProfile
from catalog.discovery.servers import discover, discover_adapters, inherit

HOME = "http://127.0.0.1:11434"
JSON = dict[str, object]


def client(pages: dict[str, object]) -> httpx.AsyncClient:
    def answer(request: httpx.Request) -> httpx.Response:
        page = pages.get(str(request.url))
        if page is None:
            return httpx.Response(404)
        if isinstance(page, Exception):
            raise page
        return page if isinstance(page, httpx.Response) else httpx.Response(200, json=page)

    return httpx.AsyncClient(transport=httpx.MockTransport(answer))


async def test_ollama_tells_size_family_and_quantization() -> None:
    details = {"family": "llama", "parameter_size": "8.0B", "quantization_level": "Q4_K_M"}
    async with client({f"{HOME}/api/tags": {"models": [{"name": "llama3.1:8b", "details": details}]}}) as http:
        ((profile, backend),) = await discover(http, urls=[HOME])
    assert (profile.id, profile.params_total_b, profile.family) == ("meta-llama/llama-3.1-8b", 8.0, "llama")
    assert (backend.kind, backend.model_name, backend.quantization) == ("ollama", "llama3.1:8b", "Q4_K_M")
    assert (backend.privacy, backend.tier, backend.base_url) == ("local", "device", f"{HOME}/v1")
    assert backend.price is not None
    assert backend.price.output_usd_per_mtok == 0


async def test_vllm_tells_how_long_a_context_it_serves() -> None:
    url = "http://127.0.0.1:8000"
    entry = {"id": "Qwen/Qwen3-8B", "owned_by": "vllm", "max_model_len": 16384}
    async with client({f"{url}/v1/models": {"data": [entry]}}) as http:
        ((profile, backend),) = await discover(http, urls=[url])
    assert (profile.id, backend.kind, backend.context_tokens) == ("qwen/qwen3-8b", "vllm", 16384)


async def test_llama_cpp_tells_how_many_parameters_it_loaded() -> None:
    url = "http://127.0.0.1:8080"
    meta = {"n_params": 134_515_008, "n_ctx_train": 8192}
    entry = {"id": "/models/SmolLM2-135M-Instruct.gguf", "owned_by": "llamacpp", "meta": meta}
    async with client({f"{url}/v1/models": {"data": [entry]}}) as http:
        ((profile, backend),) = await discover(http, urls=[url])
    assert profile.id == "huggingfacetb/smollm2-135m-instruct"
    assert profile.params_total_b == pytest.approx(0.1345, abs=1e-4)
    assert (backend.kind, backend.context_tokens) == ("llama_cpp", 8192)


@pytest.mark.parametrize(
    "page",
    [
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
        httpx.Response(500),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json=[1, 2]),
        httpx.Response(200, json={"data": "x"}),
        {"data": [None, 3, {"id": ""}, {"id": 7}]},
    ],
)
async def test_a_server_that_is_absent_or_talks_nonsense_is_not_there(page: object) -> None:
    async with client({"http://127.0.0.1:1234/v1/models": page}) as http:
        assert await discover(http, urls=["http://127.0.0.1:1234"]) == ()


@pytest.mark.loopback
@pytest.mark.parametrize("head", [b"content-encoding: gzip", b"x-plain: 1"])
async def test_a_list_without_end_is_not_read_to_its_end(head: bytes) -> None:
    """All of it was kept for as long as it was waited for: gigabytes, packed or not."""
    sent = [0]
    part = gzip.compress(b" " * 10_000_000) if b"gzip" in head else b" " * 100_000

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n" + head + b"\r\n\r\n")
        with suppress(OSError):
            while True:
                writer.write(part)
                await writer.drain()
                sent[0] += len(part)
        writer.close()

    base = Backend(id="v", profile_id="o/m", kind="vllm", provider="x", model_name="m")
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server, httpx.AsyncClient(trust_env=False) as http:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        assert await discover_adapters(http, replace(base, base_url=f"{url}/v1"), timeout_s=60) is None
    assert 0 < sent[0] < 20_000_000


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[31mred", "a\u202eb", "a\x00", "\ud800", "x" * 300])
async def test_a_name_that_no_terminal_or_page_should_show_is_none(name: str) -> None:
    page = f'{{"data": [{{"id": {json.dumps(name)}}}, {{"id": "good", "owned_by": {json.dumps(name)}}}]}}'
    async with client({"http://127.0.0.1:1234/v1/models": httpx.Response(200, text=page)}) as http:
        found = await discover(http, urls=["http://127.0.0.1:1234"])
    assert [backend.model_name for _, backend in found] == ["good"]


async def test_a_server_of_embeddings_is_known_by_its_models_name() -> None:
    url = "http://127.0.0.1:1234"
    async with client({f"{url}/v1/models": {"data": [{"id": "nomic-embed-text-v1.5"}]}}) as http:
        ((profile, backend),) = await discover(http, urls=[url])
    assert (profile.modalities_in, profile.modalities_out) == ({"text"}, {"embedding"})
    assert backend.model_name == "nomic-embed-text-v1.5"


# As vLLM lists a base model and the adapters that it was started with.
WITH_ADAPTERS = {
    "data": [
        {"id": "Qwen/Qwen3-8B", "owned_by": "vllm", "root": "Qwen/Qwen3-8B", "parent": None, "max_model_len": 16384},
        {"id": "sql-lora", "owned_by": "vllm", "root": "/adapters/sql", "parent": "Qwen/Qwen3-8B"},
        {"id": "orphan", "owned_by": "vllm", "root": "/adapters/orphan", "parent": "somebody-else"},
    ]
}


async def test_an_adapter_is_a_model_at_its_bases_server() -> None:
    url = "http://127.0.0.1:8000"
    async with client({f"{url}/v1/models": WITH_ADAPTERS}) as http:
        base, adapter, orphan = await discover(http, urls=[url])
    assert (adapter[0].id, adapter[0].base_model) == ("adapter/sql-lora", base[0].id)
    assert (adapter[1].model_name, adapter[1].kind) == ("sql-lora", "vllm")
    assert (adapter[1].base_url, adapter[1].context_tokens) == (base[1].base_url, 16384)
    assert orphan[0].base_model is None  # of an unknown base nothing can be inherited


async def test_a_configured_server_is_asked_for_its_adapters_with_its_key() -> None:
    backend = Backend(
        id="gpu",
        profile_id="qwen/qwen3-8b",
        kind="vllm",
        provider="ours",
        model_name="Qwen/Qwen3-8B",
        base_url="http://gpu:8000/v1",
        privacy="local",
    )
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((str(request.url), request.headers["authorization"]))
        return httpx.Response(200, json=WITH_ADAPTERS)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        ((profile, adapter),) = await discover_adapters(http, backend, api_key="k")
    assert seen == [("http://gpu:8000/v1/models", "Bearer k")]
    assert (profile.base_model, adapter.id, adapter.model_name) == ("qwen/qwen3-8b", "gpu:sql-lora", "sql-lora")
    assert (adapter.profile_id, adapter.privacy) == (profile.id, "local")


def test_an_adapter_has_its_bases_facts_and_its_own_name() -> None:
    catalog = Catalog.of([ModelProfile(id="a/base", name="Base", params_total_b=8.0, context_tokens=4096)])
    adapter = ModelProfile(id="adapter/sql", name="sql", base_model="a/base")
    other = ModelProfile(id="b/other", name="Other")
    inherited, same = inherit(catalog, [adapter, other])
    assert (inherited.id, inherited.name, inherited.base_model) == ("adapter/sql", "sql", "a/base")
    assert (inherited.params_total_b, inherited.context_tokens) == (8.0, 4096)
    assert same is other
