from pathlib import Path

import pytest

from tests.gateway.running import pair

pytestmark = pytest.mark.loopback


async def test_pages_are_open_and_their_facts_come_from_the_gateway(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, _, __):
        for path in ("/dashboard", "/dashboard/models"):
            shown = await gateway.client.get(path)
            assert (shown.status_code, shown.headers["x-content-type-options"]) == (200, "nosniff")
            assert "default-src 'none'" in shown.headers["content-security-policy"]
        rows = (await gateway.client.get("/dashboard/data/models")).json()
        assert [row[0] for row in rows["rows"]] == ["maker/cheap", "maker/strong"]
        told = (await gateway.client.get("/dashboard/data/models/maker/strong")).json()
        assert (told["facts"]["id"], told["served"]) == ("maker/strong", True)
        missing = await gateway.client.get("/dashboard/data/models/nobody/nothing")
        assert (missing.status_code, missing.json()["error"]["code"]) == (404, "unknown_model")


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/docs/oauth2-redirect"])
async def test_no_page_here_runs_a_script_from_elsewhere(tmp_path: Path, path: str) -> None:
    """The framework's own would, beside the key that the dashboard keeps for its tab; the schemas are data."""
    async with pair(tmp_path) as (gateway, _, __):
        page = await gateway.client.get(path)
        schemas = await gateway.client.get("/openapi.json")
    assert (page.status_code, schemas.status_code) == (404, 200)
