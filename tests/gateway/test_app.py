import asyncio
import shutil
import threading
from importlib.resources import files
from pathlib import Path

import pytest

from catalog import Backend, Catalog, Measured
from gateway import background
from gateway.parts import Binder
from gateway.refinement import Findings, write_findings
from gateway.settings import Settings
from predictors import BadArtefactError
from predictors.versions import PredictorVersions
from tests.gateway.running import pair, running, serve_fixed
from tests.waiting import until

pytestmark = pytest.mark.loopback


async def test_measured_facts_reach_the_next_decisions_without_a_restart(tmp_path: Path) -> None:
    made = []

    def make(backends, *, also=()):
        made.append(backends)
        return serve_fixed(backends, also=also)

    async with pair(tmp_path, settings={"learning": {"watch_s": 0.02}}, make_serving=make) as (gateway, _, __):
        write_findings(tmp_path / "measured.json", Findings(measured={"strong": Measured(n_calls=9, ttft_s=4.0)}))
        await until(lambda: len(made) >= 2)
        assert made[1][0].measured.ttft_s == 4.0
        (tmp_path / "measured.json").write_text("{")  # damaged: what holds, holds
        await asyncio.sleep(0.1)
        assert (await gateway.chat()).status_code == 200


async def test_facts_that_were_measured_while_the_gateway_started_reach_it(tmp_path: Path) -> None:
    made = []

    def make(backends, *, also=()):
        if not made:  # the backends were found, with what was measured by then
            write_findings(tmp_path / "measured.json", Findings(measured={"strong": Measured(n_calls=9, ttft_s=4.0)}))
        made.append(backends)
        return serve_fixed(backends, also=also)

    async with pair(tmp_path, settings={"learning": {"watch_s": 0.02}}, make_serving=make):
        await until(lambda: len(made) >= 2)
    assert made[1][0].measured.ttft_s == 4.0


async def test_of_facts_and_a_predictor_that_change_together_both_decide(tmp_path: Path) -> None:
    settings = Settings(state={"dir": tmp_path}, learning={"watch_s": 0.02})
    binder, versions = Binder(settings, Catalog.load()), PredictorVersions(settings.predictors_dir)
    one = Backend(id="b", profile_id="openai/gpt-4o", kind="openai", provider="openai", model_name="m")
    begun, ended, another_came = [], [], threading.Event()

    def make(backends, *, also=()):
        begun.append(turn := len(begun))
        serving = binder(backends, also=also)
        if turn == 1:  # binds the facts; a predictor is put in force meanwhile
            versions.promote(Path(str(files("predictors") / "data" / "default")), {})
            another_came.wait(0.5)  # in vain, where one waits for the other
        elif turn == 2:
            another_came.set()
        ended.append(turn)
        return serving

    async with running(
        one, tmp_path=tmp_path, settings={"learning": {"watch_s": 0.02}}, make_serving=make, promoted=binder
    ):
        write_findings(tmp_path / "measured.json", Findings(measured={"b": Measured(n_calls=9, ttft_s=4.0)}))
        await until(lambda: len(ended) == 3)
    assert ended == begun  # so that what was bound last was begun last, and knows both


async def test_work_in_the_background_that_breaks_is_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "_AGAIN_AFTER_S", 0.01)
    made = []

    def make(backends, *, also=()):
        made.append(backends)
        if len(made) == 2:
            raise RuntimeError("nobody foresaw this")
        return serve_fixed(backends, also=also)

    async with pair(tmp_path, settings={"learning": {"watch_s": 0.02}}, make_serving=make) as (gateway, _, __):
        for n_made, ttft_s in ((3, 4.0), (4, 5.0)):
            write_findings(
                tmp_path / "measured.json", Findings(measured={"strong": Measured(n_calls=9, ttft_s=ttft_s)})
            )
            await until(lambda n_made=n_made: len(made) >= n_made)
        assert [backends[0].measured.ttft_s for backends in made[1:]] == [4.0, 4.0, 5.0]  # what broke it is tried again
        assert (await gateway.chat()).status_code == 200


@pytest.mark.usefixtures("interpreter_as_before")
async def test_facts_that_change_amid_requests_disturb_none(tmp_path: Path) -> None:
    async with pair(tmp_path, settings={"learning": {"watch_s": 0.005}}, own_process=True) as (gateway, _, __):
        asking = [asyncio.create_task(gateway.chat(stream=n % 2 == 0)) for n in range(60)]
        for n in range(20):
            write_findings(tmp_path / "measured.json", Findings(measured={"strong": Measured(n_calls=9, ttft_s=n)}))
            await asyncio.sleep(0.01)
        assert {answer.status_code for answer in await asyncio.gather(*asking)} == {200}


async def test_every_door_is_described(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, _, __):
        described = (await gateway.client.get("/openapi.json")).json()["paths"]
    assert {"/v1/chat/completions", "/routing/v1/chat/completions", "/v1/models", "/v1/feedback", "/metrics"} <= set(
        described
    )


async def test_the_dashboard_comes_with_its_own_security_policy(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, _, __):
        page = await gateway.client.get("/dashboard")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]


async def test_a_redirect_keeps_to_the_scheme_that_a_trusted_proxy_tells(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, _, __):
        found = await gateway.client.get("/dashboard/", headers={"x-forwarded-proto": "https"})
    assert found.status_code == 307
    assert found.headers["location"].startswith("https://")


async def test_a_crash_inside_tells_the_client_nothing(tmp_path: Path) -> None:
    def make(backends, *, also=()):
        serving = serve_fixed(backends, also=also)

        class Broken:
            def decide(self, *_: object, **__: object) -> None:
                raise RuntimeError("a secret in a traceback")

        object.__setattr__(serving, "router", Broken())
        return serving

    async with pair(tmp_path, make_serving=make) as (gateway, _, __):
        answer = await gateway.chat()
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    assert "secret" not in answer.text


async def test_a_promoted_predictor_decides_without_a_restart_and_a_damaged_one_never(tmp_path: Path) -> None:
    settings = Settings(state={"dir": tmp_path}, learning={"watch_s": 0.02})
    binder = Binder(settings, Catalog.load())
    versions = PredictorVersions(settings.predictors_dir)
    shipped = Path(str(files("predictors") / "data" / "default"))
    one = Backend(id="b", profile_id="openai/gpt-4o", kind="openai", provider="openai", model_name="m")
    dispatched = []

    def make(backends, *, also=()):
        dispatched.append(binder(backends, also=also))
        return dispatched[-1]

    async with running(
        one, tmp_path=tmp_path, settings={"learning": {"watch_s": 0.02}}, make_serving=make, promoted=binder
    ) as gateway:
        versions.promote(shipped, {})
        await until(lambda: len(dispatched) >= 2)
        assert not binder.is_behind()

        damaged = tmp_path / "damaged"
        shutil.copytree(shipped, damaged)
        (damaged / "arrays.npz").write_bytes(b"damaged")
        versions.promote(damaged, {})
        await until(lambda: not binder.is_behind())
        await asyncio.sleep(0.1)
        assert len(dispatched) == 2
        told = await gateway.client.post(
            "/routing/v1/chat/completions", json={"model": "auto", "messages": [{"role": "user", "content": "hi"}]}
        )
        assert told.status_code == 200


def test_a_promoted_predictor_that_cannot_be_used_names_the_way_back(tmp_path: Path) -> None:
    settings = Settings(state={"dir": tmp_path})
    folder = tmp_path / "of another version"
    shutil.copytree(Path(str(files("predictors") / "data" / "default")), folder)
    (folder / "manifest.json").write_text("{}", encoding="utf-8")
    versions = PredictorVersions(settings.predictors_dir)
    versions.promote(folder, {})
    with pytest.raises(BadArtefactError, match=r"predictors/0001, which was promoted: .*`paretogate rollback` lets"):
        Binder(settings, Catalog.load())
    versions.roll_back()
    assert Binder(settings, Catalog.load())(()).source.version
    (settings.predictors_dir / "in-force.json").write_text("{", encoding="utf-8")
    with pytest.raises(
        BadArtefactError, match=r"in-force.json: cannot be read .*remove it, and the predictor that ships"
    ):
        Binder(settings, Catalog.load())


def test_the_operators_own_predictor_is_never_replaced(tmp_path: Path) -> None:
    own = Path(str(files("predictors") / "data" / "default"))
    settings = Settings(state={"dir": tmp_path}, predictor={"path": own})
    binder = Binder(settings, Catalog.load())
    PredictorVersions(settings.predictors_dir).promote(own, {})
    assert not binder.is_behind()
