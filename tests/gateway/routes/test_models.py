from pathlib import Path

import anthropic
import pytest

from tests.gateway.governance.test_governor import REQUIRED, make_key
from tests.gateway.running import pair

pytestmark = pytest.mark.loopback


async def test_aliases_come_first_and_suffixes_are_not_listed(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, _, __):
        listed = [model["id"] for model in (await gateway.client.get("/v1/models")).json()["data"]]
    assert listed == ["auto", "auto:balanced", "auto:best", "auto:cheap", "maker/cheap", "maker/strong"]


async def test_one_model_is_found_by_any_of_its_names(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, _, __):
        for name in ("maker/strong", "strong"):
            found = await gateway.client.get(f"/v1/models/{name}")
            assert found.json()["id"] == "maker/strong"
            assert found.json()["pricing_usd_per_mtok"] == {"input": 10.0, "output": 20.0}
        assert (await gateway.client.get("/v1/models/auto")).json()["owned_by"] == "paretogate"
        missing = await gateway.client.get("/v1/models/gpt-99")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "unknown_model")


async def test_anthropics_clients_find_the_shape_that_they_know(tmp_path: Path) -> None:
    async with (
        pair(tmp_path) as (gateway, _, __),
        anthropic.AsyncAnthropic(base_url=gateway.url, api_key="x") as client,
    ):
        page = await client.models.list()
        found = [model async for model in client.models.list(limit=2)]
        one = await client.models.retrieve("strong")
    assert [model.id for model in found] == [model.id for model in page.data]
    assert (page.first_id, page.has_more, found[0].display_name) == ("auto", False, "auto")
    assert (one.id, one.display_name, one.type, one.lifecycle) == ("maker/strong", "Strong", "model", "active")
    assert one.max_input_tokens == 10_000
    assert one.created_at.year == 1970  # as Anthropic itself says where it is not known


async def test_a_key_sees_the_models_that_it_may_use(tmp_path: Path) -> None:
    key = make_key(tmp_path, allow=("maker/cheap",))
    async with pair(tmp_path, settings=REQUIRED) as (gateway, _, __):
        listed = [model["id"] for model in (await gateway.client.get("/v1/models", headers=key)).json()["data"]]
        names = ("maker/cheap", "cheap", "auto", "maker/strong", "strong")
        found = [(await gateway.client.get(f"/v1/models/{name}", headers=key)).status_code for name in names]
    assert listed == ["auto", "auto:balanced", "auto:best", "auto:cheap", "maker/cheap"]
    assert found == [200, 200, 200, 404, 404]
