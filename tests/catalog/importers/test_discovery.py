import httpx
import pytest

from catalog.importers.discovery import discover

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
        {"data": [None, 3, {"id": ""}, {"id": 7}, {"id": "text-embedding-x"}]},
    ],
)
async def test_a_server_that_is_absent_or_talks_nonsense_is_not_there(page: object) -> None:
    async with client({"http://127.0.0.1:1234/v1/models": page}) as http:
        assert await discover(http, urls=["http://127.0.0.1:1234"]) == ()
