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
