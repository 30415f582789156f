"""A key that is limited to some models is told of no others: neither of their names, nor backends, nor forecasts."""

from pathlib import Path
from typing import Any

import pytest

from gateway.upstreams.fake import FakeProvider
from tests.gateway.governance.test_governor import make_key
from tests.gateway.routes.test_embeddings import embedder, serve_by_name
from tests.gateway.running import CHAT, HI, backend, pair, running

pytestmark = pytest.mark.loopback

EXPLAINED = {"messages": HI, "routing": {"explain": True}}
PICTURE = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x.example/cat.png"}}]}]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (CHAT, EXPLAINED, 200),
        (CHAT, {**EXPLAINED, "stream": True}, 200),
        (CHAT, {"messages": HI, "routing": {"route_only": True}}, 200),
        (f"/routing{CHAT}", {"messages": HI}, 200),
        (f"/routing{CHAT}", {"messages": HI, "routing": {"models": {"allow": ["*"]}}}, 200),
        ("/v1/responses", {"input": "hi", "routing": {"explain": True}}, 200),
        (CHAT, {"messages": HI, "routing": {"require": {"max_cost_usd": 1e-9, "min_quality": 0.85}}}, 422),
        (CHAT, {"messages": PICTURE}, 422),
        (CHAT, {"model": "stron", "messages": HI}, 404),
        (CHAT, {"model": "stron:floor", "messages": HI}, 404),
        (f"/routing{CHAT}", {"model": "stron", "messages": HI}, 404),
        ("/v1/messages/count_tokens", {"model": "stron", "messages": HI}, 404),
    ],
)
async def test_a_key_is_told_of_no_model_that_it_may_not_use(
    tmp_path: Path, path: str, body: dict[str, Any], status: int
) -> None:
    key = make_key(tmp_path, allow=("maker/cheap",))
    async with pair(tmp_path) as (gateway, _, __):
        told = await gateway.client.post(path, json={"model": "auto", **body}, headers=key)
        whole = await gateway.client.post(path, json={"model": "auto", **body})
    said = f"{told.text} {dict(told.headers)}".lower().replace("'stron", "").replace('"stron', "")
    assert told.status_code == status, told.text
    assert "strong" not in said
    assert "strong" in whole.text.lower()  # whoever may use all is told of all


async def test_who_may_use_nothing_is_not_told_who_comes_closest(tmp_path: Path) -> None:
    key = make_key(tmp_path, allow=("nobody/*",))
    async with pair(tmp_path) as (gateway, _, __):
        refused = await gateway.client.post(CHAT, json={"model": "auto", "messages": HI}, headers=key)
    assert refused.status_code == 422
    assert not {"strong", "cheap"} & set(refused.text.replace("/", " ").replace('"', " ").split())


async def test_names_of_models_are_suggested_of_those_that_the_key_sees(tmp_path: Path) -> None:
    key = make_key(tmp_path, allow=("maker/cheap",))
    async with pair(tmp_path) as (gateway, _, __):
        other = await gateway.client.get("/v1/models/stron", headers=key)
        own = await gateway.client.get("/v1/models/chea", headers=key)
    assert "strong" not in other.text.lower().replace("'stron'", "")
    assert "did you mean cheap" in own.text


async def test_who_must_name_a_model_that_embeds_is_told_of_its_own(tmp_path: Path) -> None:
    key = make_key(tmp_path, allow=("*embed-a",))
    async with FakeProvider() as provider:
        two = (embedder("embed-a", provider.url), embedder("embed-b", provider.url))
        strong = backend("strong", provider.url)
        async with running(strong, *two, tmp_path=tmp_path, make_serving=serve_by_name) as gateway:
            refused = await gateway.client.post("/v1/embeddings", json={"model": "auto", "input": "x"}, headers=key)
    assert refused.status_code == 400
    assert "embed-a" in refused.text
    assert "embed-b" not in refused.text
