import asyncio
import re
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
from aiohttp import web
from pydantic import SecretStr

from gateway.commands import doctor
from gateway.commands.doctor import Check, examine
from gateway.commands.state_check import shared_state_findings, why_no_shared_state
from gateway.settings import StateSettings
from tests.gateway.anthropic_provider import FakeAnthropic
from tests.gateway.small_servers import serving
from tests.gateway.state.servers import RedisServer

Checks = dict[str, Check]
BUSY = "vllm:num_requests_running 2.0\nvllm:num_requests_waiting 0.0\n"


@asynccontextmanager
async def server(*, tells_its_load: bool) -> AsyncIterator[str]:
    async def models(request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": []})

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(text=BUSY) if tells_its_load else web.Response(status=501)

    async with serving(web.get("/v1/models", models), web.get("/metrics", metrics)) as url:
        yield f"{url}/v1"


async def examined(
    url: str, folder: Path, *, more: str = 'kind = "llama_cpp"', environ: Mapping[str, str] | None = None
) -> Check:
    config = folder / "paretogate.toml"
    config.write_text(
        f'[state]\ndir = "{folder}"\n[discovery]\nloopback = false\nenvironment_keys = false\n'
        f'[[backends]]\nid = "gpu"\nprofile = "openai/gpt-4o-mini"\n{more}\nbase_url = "{url}"\n',
        encoding="utf-8",
    )
    checks = await asyncio.to_thread(lambda: list(examine(config=config, environ=environ or {}, offline=False)))
    (found,) = [check for check in checks if check.subject == url]
    return found


@pytest.mark.loopback
async def test_a_server_that_does_not_tell_its_load_is_noted_with_the_remedy(tmp_path: Path) -> None:
    async with server(tells_its_load=False) as url:
        silent = await examined(url, tmp_path)
    assert (silent.verdict, "--metrics" in str(silent.remedy)) == ("note", True)


@pytest.mark.loopback
async def test_a_server_that_tells_its_load_is_well(tmp_path: Path) -> None:
    async with server(tells_its_load=True) as url:
        assert (await examined(url, tmp_path)).verdict == "ok"


@pytest.mark.loopback
async def test_what_is_behind_a_question_mark_is_asked_with_and_not_told_nor_is_a_password(tmp_path: Path) -> None:
    async with server(tells_its_load=True) as url:
        asked = f"{url.replace('http://', 'http://me:hidden@')}?key=hidden"
        told = [check for check in await told_by(asked, tmp_path) if "127.0.0.1" in check.subject]
        assert [(check.subject, check.verdict) for check in told] == [(url, "ok")]
        assert "hidden" not in "".join(map(str, await told_by(asked, tmp_path)))


async def told_by(url: str, folder: Path) -> list[Check]:
    config = folder / "paretogate.toml"
    config.write_text(
        f'[state]\ndir = "{folder}"\n[discovery]\nloopback = false\nenvironment_keys = false\n'
        f'[[backends]]\nid = "gpu"\nprofile = "openai/gpt-4o-mini"\nkind = "openai"\nbase_url = "{url}"\n',
        encoding="utf-8",
    )
    return await asyncio.to_thread(lambda: list(examine(config=config, environ={}, offline=False)))


@pytest.mark.loopback
@pytest.mark.parametrize(("key", "verdict"), [("sk-ant-test", "ok"), ("other", "note")])
async def test_anthropic_is_shown_its_key_in_its_own_way(tmp_path: Path, key: str, verdict: str) -> None:
    more = 'kind = "anthropic"\napi_key_env = "CLAUDE_KEY"'
    async with FakeAnthropic() as provider:
        found = await examined(provider.url, tmp_path, more=more, environ={"CLAUDE_KEY": key})
    assert found.verdict == verdict


@pytest.mark.loopback
@pytest.mark.skipif(find_spec("litellm") is None, reason="the extra litellm is not installed")
def test_credentials_that_litellm_will_not_find_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
    config = tmp_path / "paretogate.toml"
    config.write_text(
        f'[state]\ndir = "{tmp_path}"\n[discovery]\nloopback = false\nenvironment_keys = false\n'
        '[[backends]]\nid = "rock"\nprofile = "anthropic/claude-haiku-4.5"\nkind = "litellm"\nprovider = "bedrock"\n',
        encoding="utf-8",
    )
    (found,) = [check for check in examine(config=config, environ={}, offline=True) if check.subject == "rock"]
    assert found.verdict == "note"
    assert "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY" in found.detail


def test_an_extra_of_which_not_even_the_package_is_there_is_missing_and_no_crash() -> None:
    assert not doctor._importable("no_such_package.part")
    assert doctor._importable("opentelemetry.sdk")


def checked(folder: Path, more: str = "", environ: Mapping[str, str] | None = None, *, offline: bool = True) -> Checks:
    config = folder / "paretogate.toml"
    lonely = '[discovery]\nloopback = false\nenvironment_keys = false\n[embedded]\nenabled = "off"\n'
    config.write_text(f'[state]\ndir = "{folder}"\n{more}\n{lonely}', encoding="utf-8")
    told = {"PARETOGATE_CONFIG": str(config), **(environ or {})}
    return {check.subject: check for check in examine(config=None, environ=told, offline=offline)}


@pytest.mark.loopback
def test_the_file_that_was_read_is_named_however_it_was_found(tmp_path: Path) -> None:
    assert checked(tmp_path)["configuration"].detail == str(tmp_path / "paretogate.toml")


@pytest.mark.loopback
def test_keys_that_keep_the_gateway_from_serving_are_broken(tmp_path: Path) -> None:
    assert checked(tmp_path)["keys"].detail == "0 good; they are not asked for at 127.0.0.1"
    open_to_all = checked(tmp_path, environ={"PARETOGATE_SERVER__HOST": "0.0.0.0"})["keys"]
    assert (open_to_all.verdict, "paretogate keys create" in open_to_all.detail) == ("broken", True)
    (tmp_path / "keys.json").write_text("{", encoding="utf-8")
    damaged = checked(tmp_path)["keys"]
    assert (damaged.verdict, "keys.json is damaged" in damaged.detail) == ("broken", True)


@pytest.mark.loopback
def test_a_folder_of_the_journal_that_cannot_be_written_is_broken(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    url = f"sqlite:///{tmp_path}/file/journal.sqlite3"
    journal = checked(tmp_path, environ={"PARETOGATE_JOURNAL__URL": url})["journal"]
    assert (journal.verdict, f"{tmp_path}/file: " in journal.detail) == ("broken", True)
    assert "journal.url" in (journal.remedy or "")


@pytest.mark.loopback
def test_a_redis_is_asked_what_requests_ask(tmp_path: Path, redis_server: RedisServer) -> None:
    url = {"PARETOGATE_STATE__URL": redis_server.url}
    good = checked(tmp_path, environ=url, offline=False)["shared state"]
    assert (good.verdict, good.detail.endswith("; keys paretogate:*")) == ("ok", True)
    with redis_server.client() as redis:
        redis.config_set("requirepass", "hush")
    locked = checked(tmp_path, environ=url, offline=False)["shared state"]
    assert (locked.verdict, "already authenticated" in locked.detail) == ("note", True)
    assert "limits hold per replica" in (locked.remedy or "")
    wrong = {"PARETOGATE_STATE__URL": f"unix://:wrong@{redis_server.socket}"}
    assert "wrong" not in checked(tmp_path, environ=wrong, offline=False)["shared state"].detail


@pytest.mark.loopback
async def test_a_start_warns_of_a_redis_that_cannot_be_used(tmp_path: Path, redis_server: RedisServer) -> None:
    def told(url: str) -> StateSettings:
        return StateSettings(url=SecretStr(url))

    assert await shared_state_findings(told("memory://")) == await shared_state_findings(told(redis_server.url)) == ()
    with redis_server.client() as redis:
        redis.config_set("requirepass", "another")
    (finding,) = await shared_state_findings(told(f"unix://:hush@{redis_server.socket}"))
    assert finding.warning
    assert re.match(r"! state.url: Redis cannot be used: .*; mend state.url; until Redis answers", str(finding))
    assert "hush" not in str(finding)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        encrypted = told(f"rediss://127.0.0.1:{silent.getsockname()[1]}")
        slow = await why_no_shared_state(encrypted, timeout_s=0.2)
    assert slow == "no answer within 0.2 s, as where no TLS is spoken"
