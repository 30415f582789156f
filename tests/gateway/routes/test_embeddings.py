"""The door of embeddings over real sockets."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import openai
import pytest

from catalog import Backend, ModelProfile, Pool, PoolEntry
from gateway.serving import Serving
from gateway.upstreams.fake import FakeProvider
from router import FixedForecasts, Router, forecast_of
from tests.gateway.running import HI, backend, pair, running

pytestmark = pytest.mark.loopback

EMBEDDINGS = "/v1/embeddings"


def serve_by_name(backends: tuple[Backend, ...], *, also: tuple[str, ...] = ()) -> Serving:
    """Profiles as their backends name them; those called embed... turn texts into vectors."""

    def profile(name: str) -> ModelProfile:
        out = {"embedding"} if "/embed" in name else {"text"}
        return ModelProfile(id=name, name=name, modalities_out=frozenset(out))

    pool = Pool([PoolEntry(profile=profile(b.profile_id), backend=b) for b in backends])
    forecast = forecast_of(pool, quality=0.5, cost_usd=0.01, latency_s=1.0, ttft_s=0.5, output_tokens=10.0)
    source = FixedForecasts(pool=pool, fixed=forecast)
    return Serving.of(
        source=source, router=Router(source, explore=0.0), policies=frozenset({"balanced"}), versions={"catalog": "t"}
    )


def embedder(name: str, url: str) -> Backend:
    return replace(backend("strong", url), id=name, profile_id=f"maker/{name}", model_name=f"{name}-raw")


async def test_vectors_pass_as_they_are(tmp_path: Path) -> None:
    async with (
        FakeProvider() as provider,
        running(
            backend("strong", provider.url),
            embedder("embed", provider.url),
            tmp_path=tmp_path,
            make_serving=serve_by_name,
        ) as gateway,
        openai.AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="x") as client,
    ):
        answer = await client.embeddings.create(model="auto", input=["two words", "one"])
        chat = await gateway.chat()
    assert [item.embedding for item in answer.data] == [[9.0, 2.0], [3.0, 1.0]]
    assert (answer.model, answer.usage.prompt_tokens) == ("maker/embed", 2)
    assert chat.json()["model"] == "maker/strong"  # nobody chats with a model that only embeds
    outcome = gateway.journal.of("outcome")[0]
    assert (outcome["backend"], outcome["status"]) == ("embed", "ok")
    assert outcome["cost_usd"] == pytest.approx(0.00002)  # 2 tokens at $10/M


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"model": "auto", "input": "cat"}, 400, "name one of maker/embed-a, maker/embed-b"),
        ({"model": "strong", "input": "cat"}, 404, "strong"),
        ({"model": "embed-a"}, 400, "input"),
    ],
)
async def test_which_model_embeds_is_never_chosen_for_the_caller(
    tmp_path: Path, body: dict[str, Any], status: int, says: str
) -> None:
    async with FakeProvider() as provider:
        two = (embedder("embed-a", provider.url), embedder("embed-b", provider.url))
        async with running(
            backend("strong", provider.url), *two, tmp_path=tmp_path, make_serving=serve_by_name
        ) as gateway:
            answer = await gateway.client.post(EMBEDDINGS, json=body)
            named = await gateway.client.post(EMBEDDINGS, json={"model": "embed-b", "input": "cat"})
    assert answer.status_code == status
    assert says in answer.json()["error"]["message"]
    assert named.json()["model"] == "maker/embed-b"


async def test_where_nothing_embeds_the_remedy_is_named(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, _, __):
        answer = await gateway.client.post(EMBEDDINGS, json={"model": "auto", "input": "cat"})
        chat = await gateway.client.post(EMBEDDINGS, json={"model": "auto", "messages": HI})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert "modalities_out" in answer.json()["error"]["message"]
    assert chat.status_code == 400
