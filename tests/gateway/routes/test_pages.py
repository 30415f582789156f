"""A stranger's web page in the browser of whoever runs a gateway is no caller of it."""

from pathlib import Path
from typing import Any

import pytest

from gateway.errors import ForbiddenError
from gateway.routes.pages import check_page
from gateway.upstreams.fake import FakeProvider
from tests.gateway.governance.test_governor import make_key
from tests.gateway.running import CHAT, HI, backend, running

EVIL = {"origin": "https://evil.example"}


def comes(**headers: str) -> bool:
    """Whether a request with these is let in."""
    try:
        check_page([(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()])
    except ForbiddenError:
        return False
    return True


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1:8321", "localhost:8321", "[::1]:8321", "LOCALHOST", "192.168.1.7:8321", "gateway", "localhost."),
        *("host.docker.internal:8321", "box.local", "gate.localhost:8321", ""),
    ],
)
def test_names_that_only_this_machine_or_its_owner_gives_are_local(host: str) -> None:
    assert comes(host=host)


@pytest.mark.parametrize("host", ["evil.example:8321", "127.0.0.1.evil.example", "[:::", "localhost.evil.example."])
def test_a_name_that_a_stranger_can_lead_here_is_not(host: str) -> None:
    assert not comes(host=host)
    assert comes(host=host, x_forwarded_for="10.0.0.1")  # a proxy answers for it


@pytest.mark.parametrize(
    ("origin", "passes"),
    [
        *[(f"http://{name}:3000", True) for name in ("localhost", "127.0.0.1", "[::1]")],
        *[(name, True) for name in ("chrome-extension://abc", "vscode-webview://x", "tauri://localhost")],
        *[("http://gateway:8321", True), ("http://another:8321", False)],
        *[
            (name, False)
            for name in ("https://evil.example", "http://127.0.0.1.evil.example", "null", "\xff", "http://[")
        ],
    ],
)
def test_pages_of_this_machine_and_applications_come_in_and_others_do_not(origin: str, passes: bool) -> None:
    assert comes(host="gateway:8321", origin=origin) == passes
    assert comes(host="gateway:8321")


@pytest.mark.loopback
@pytest.mark.parametrize("path", [CHAT, "/v1/messages", "/v1/feedback", "/mcp", "/v1/models", "/dashboard/data"])
async def test_no_address_answers_it(tmp_path: Path, path: str) -> None:
    simple = {"content-type": "text/plain"}  # for which a browser asks nobody first
    async with FakeProvider() as provider, running(backend("strong", provider.url), tmp_path=tmp_path) as gateway:
        for sign in (EVIL, {"host": "evil.example:8321"}):
            told = await gateway.client.post(path, json={"messages": HI}, headers={**simple, **sign})
            assert told.status_code == 403
            assert "auth.required" in told.text
    assert not provider.requests


@pytest.mark.loopback
@pytest.mark.parametrize(
    ("settings", "status"), [({}, 403), ({"auth": {"allow_open": True}}, 200), ({"auth": {"required": True}}, 401)]
)
async def test_whoever_asks_for_keys_or_is_kept_by_something_else_need_not_look(
    tmp_path: Path, settings: dict[str, Any], status: int
) -> None:
    key = make_key(tmp_path)
    async with (
        FakeProvider() as provider,
        running(backend("strong", provider.url), tmp_path=tmp_path, settings=settings) as gateway,
    ):
        told = await gateway.client.post(CHAT, json={"messages": HI}, headers=EVIL)
        own = await gateway.client.post(CHAT, json={"messages": HI}, headers=key)
    assert (told.status_code, own.status_code) == (status, 200)
