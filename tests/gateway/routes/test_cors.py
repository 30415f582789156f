"""Web pages whose origins the operator has named may call from a browser, and no others."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.settings import InvalidSettingsError, ServerSettings
from gateway.upstreams.fake import FakeProvider
from tests.gateway.governance.test_governor import make_key
from tests.gateway.running import CHAT, HI, RunningGateway, backend, pair, running

pytestmark = pytest.mark.loopback

APP = "https://app.example"
NAMED: dict[str, Any] = {"server": {"cors_origins": [APP]}}
ASKS = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,x-stainless-lang",
}


async def preflight(gateway: RunningGateway, path: str = CHAT, origin: str = APP) -> Any:
    return await gateway.client.request("OPTIONS", path, headers={"origin": origin, **ASKS})


@pytest.mark.parametrize("path", [CHAT, "/v1/messages", "/v1/models", "/v1/responses/resp_1"])
async def test_a_browser_that_asks_first_hears_that_it_may_send_what_it_wants(tmp_path: Path, path: str) -> None:
    key = make_key(tmp_path)
    async with pair(tmp_path, settings={**NAMED, "auth": {"required": True}}) as (gateway, *_):
        told = await preflight(gateway, path)
        other = await preflight(gateway, path, "https://evil.example")
        models = await gateway.client.get("/v1/models", headers={"origin": APP, **key})
    assert (told.status_code, told.content) == (204, b"")
    assert told.headers["access-control-allow-origin"] == APP
    assert told.headers["access-control-allow-headers"] == ASKS["access-control-request-headers"]
    assert "DELETE" in told.headers["access-control-allow-methods"]
    assert other.status_code in {401, 405}
    assert not [name for name in other.headers if name.startswith("access-control")]
    assert (models.status_code, models.headers["access-control-allow-origin"]) == (200, APP)


@pytest.mark.parametrize("stream", [False, True])
async def test_the_page_may_read_the_answer_its_headers_and_what_went_wrong(tmp_path: Path, stream: bool) -> None:
    async with pair(tmp_path, settings=NAMED) as (gateway, *_):
        asked = {"model": "auto:best", "messages": HI, "stream": stream}
        told = await gateway.client.post(CHAT, json=asked, headers={"origin": APP})
        wrong = await gateway.client.post(CHAT, json={"messages": 3}, headers={"origin": APP})
        own = await gateway.client.post(CHAT, json=asked)
    assert (told.status_code, wrong.status_code, own.status_code) == (200, 400, 200)
    assert "strong" in told.text
    for reply in (told, wrong):
        assert reply.headers["access-control-allow-origin"] == APP
        assert (reply.headers["access-control-expose-headers"], reply.headers["vary"]) == ("*", "origin")
    assert "access-control-allow-origin" not in own.headers


async def test_an_open_gateway_lets_in_the_named_pages_and_no_others(tmp_path: Path) -> None:
    async with (
        FakeProvider() as provider,
        running(backend("strong", provider.url), tmp_path=tmp_path, settings=NAMED) as gateway,
    ):
        named = await gateway.client.post(CHAT, json={"messages": HI}, headers={"origin": APP})
        others = [
            await gateway.client.post(CHAT, json={"messages": HI}, headers=headers)
            for headers in ({"origin": "https://evil.example"}, {"origin": APP, "host": "evil.example:8321"})
        ]
        asked = await preflight(gateway, origin="https://evil.example")
    assert named.status_code == 200
    assert [reply.status_code for reply in (*others, asked)] == [403, 403, 403]
    assert len(provider.requests) == 1


async def test_nobody_is_let_in_unless_somebody_is_named(tmp_path: Path) -> None:
    async with pair(tmp_path, settings={"auth": {"allow_open": True}}) as (gateway, *_):
        assert (await preflight(gateway)).status_code == 405


async def test_all_pages_may_call_where_keys_are_required_and_else_the_gateway_does_not_start(tmp_path: Path) -> None:
    everybody: dict[str, Any] = {"server": {"cors_origins": ["*"]}}
    make_key(tmp_path)
    async with pair(tmp_path, settings={**everybody, "auth": {"required": True}}) as (gateway, *_):
        assert (await preflight(gateway)).headers["access-control-allow-origin"] == APP
    with pytest.raises(InvalidSettingsError, match="name the origins"):
        async with pair(tmp_path, settings=everybody):
            pass


@pytest.mark.parametrize("origin", ["app.example", "https://app.example/", "https://App.example", "https://a.b/c", ""])
def test_what_no_browser_says_is_no_origin(origin: str) -> None:
    with pytest.raises(ValidationError, match="is no origin"):
        ServerSettings(cors_origins=(origin,))
