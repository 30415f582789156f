import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from catalog.capability.canary import Canary
from catalog.capability.canary_file import Fingerprint, write_fingerprint
from gateway.app import Parts, create_app
from gateway.canaries import CanaryBudget, CanaryWatch, read_fingerprints, watched_backends
from gateway.commands.doctor import examine
from gateway.settings import CanarySettings, InvalidSettingsError, Settings
from gateway.telemetry import Telemetry
from gateway.upstreams.fake import FakeProvider, Misbehaviour
from gateway.upstreams.health import Health
from gateway.upstreams.openai import OpenAIUpstream
from tests.waiting import AT_MOST_S

from .running import ListJournal, RunningGateway, backend, pair, serve_fixed

TEN = tuple(Canary(prompt=f"Begin {k}:", answer="Strong words") for k in range(10))
STRONG = Fingerprint(model="maker/strong", recorded="2026-01-02", self_mismatch=0.05, canaries=TEN)


def recorded(folder: Path, fingerprint: Fingerprint = STRONG) -> Path:
    path = folder / "canaries.json"
    write_fingerprint(path, fingerprint)
    return path


class Watching:
    """One watch of the strong backend, and what it acts on."""

    def __init__(self, provider: FakeProvider, **settings: Any) -> None:
        self.now_s = 0.0
        self.backend = backend("strong", provider.url)
        self.health, self.telemetry = Health(clock=lambda: self.now_s), Telemetry()
        self.upstream = OpenAIUpstream(api_keys={"strong": "key"})
        self.settings = CanarySettings(**{"every_s": 60, **settings})
        self.watched = watched_backends([self.backend, backend("cheap", provider.url)], [STRONG])
        self.watch = CanaryWatch(
            self.watched,
            {"openai": self.upstream},
            self.settings,
            budget=CanaryBudget(self.settings.calls_per_day, clock=lambda: self.now_s),
            health=self.health,
            telemetry=self.telemetry,
            jitter=lambda: 0.5,
        )

    async def check(self) -> str:
        return await self.watch.check(self.watched[0])

    @property
    def metrics(self) -> str:
        self.telemetry.refresh()
        return self.telemetry.exposition().decode()


async def watching(test: Callable[[Watching, FakeProvider], Awaitable[None]], **settings: Any) -> None:
    async with FakeProvider(words=("strong", " words")) as provider:
        watch = Watching(provider, **settings)
        try:
            await test(watch, provider)
        finally:
            await watch.upstream.close()


@pytest.mark.loopback
async def test_the_backend_itself_is_asked_as_its_canaries_were_recorded() -> None:
    async def test(watch: Watching, provider: FakeProvider) -> None:
        assert [one.backend.id for one in watch.watched] == ["strong"]
        assert await watch.check() == "fits"
        assert len(provider.requests) == 10
        assert provider.requests[3] == {
            "model": "strong-raw",
            "messages": [{"role": "user", "content": "Begin 3:"}],
            "max_tokens": 4,
            "temperature": 0,
            "seed": 0,
        }
        assert provider.request_headers[0]["authorization"] == "Bearer key"
        assert 'paretogate_canary_checks_total{backend="strong",outcome="fits"} 1.0' in watch.metrics
        assert 'paretogate_canary_differs{backend="strong"} 0.0' in watch.metrics

    await watching(test)


@pytest.mark.loopback
async def test_another_model_is_told_of_and_goes_on_serving_where_nobody_wished_otherwise() -> None:
    async def test(watch: Watching, provider: FakeProvider) -> None:
        provider.words = ("another", " model")
        assert await watch.check() == "differs"
        assert 'paretogate_canary_differs{backend="strong"} 1.0' in watch.metrics
        assert 'paretogate_canary_mismatch_ratio{backend="strong"} 1.0' in watch.metrics
        assert watch.health.admits(watch.backend)

    await watching(test)


@pytest.mark.loopback
async def test_another_model_rests_until_its_answers_fit_again() -> None:
    async def test(watch: Watching, provider: FakeProvider) -> None:
        provider.words = ("another", " model")
        await watch.check()
        assert not watch.health.admits(watch.backend)
        assert not watch.health.begin(watch.backend)
        provider.words = ("strong", " words")
        assert await watch.check() == "fits"
        assert watch.health.admits(watch.backend)

    await watching(test, on_mismatch="rest")


@pytest.mark.loopback
async def test_one_lucky_answer_takes_nobody_back() -> None:
    async def test(watch: Watching, provider: FakeProvider) -> None:
        provider.words = ("another", " model")
        await watch.check()
        provider.words = ("strong", " words")
        provider.misbehave(Misbehaviour(fault="slow_first_token", delay_s=0.0))  # an answer after all
        provider.misbehave(Misbehaviour(fault="status"), times=3)
        assert await watch.check() == "unanswered"
        assert len(provider.requests) == 10 + 4
        assert not watch.health.admits(watch.backend)

    await watching(test, on_mismatch="rest")


@pytest.mark.loopback
async def test_a_backend_that_is_away_is_neither_convicted_nor_asked_on() -> None:
    async def test(watch: Watching, provider: FakeProvider) -> None:
        provider.always_misbehave("strong-raw", Misbehaviour(fault="status", status=503))
        assert await watch.check() == "unanswered"
        assert len(provider.requests) == 3
        assert watch.health.admits(watch.backend)

    await watching(test, on_mismatch="rest")


@pytest.mark.loopback
async def test_what_the_day_allows_is_never_exceeded_and_comes_back_a_day_later() -> None:
    async def test(watch: Watching, provider: FakeProvider) -> None:
        outcomes = [await watch.check() for _ in range(4)]
        assert outcomes == ["fits", "fits", "over_budget", "over_budget"]  # 25 calls hold 10 twice
        assert len(provider.requests) == 20
        watch.now_s = 86_400.0
        assert await watch.check() == "fits"
        assert 'paretogate_canary_checks_total{backend="strong",outcome="over_budget"} 2.0' in watch.metrics

    await watching(test, calls_per_day=25)


@pytest.mark.loopback
async def test_a_running_gateway_finds_the_swap_and_routes_around_it(tmp_path: Path) -> None:
    canaries = {"files": (recorded(tmp_path),), "every_s": 0.05, "calls_per_day": 100_000, "on_mismatch": "rest"}
    async with pair(tmp_path, settings={"canaries": canaries}) as (gateway, strong, _):
        await seen(gateway, 'canary_checks_total{backend="strong",outcome="fits"}')
        assert await answered_by(gateway) == "maker/strong"
        strong.words = ("another", " model")
        await seen(gateway, 'canary_differs{backend="strong"} 1.0')
        assert await answered_by(gateway) == "maker/cheap"
        strong.words = ("strong", " words")
        await seen(gateway, 'canary_differs{backend="strong"} 0.0')
        assert await answered_by(gateway) == "maker/strong"


async def seen(gateway: RunningGateway, line: str) -> None:
    async with asyncio.timeout(AT_MOST_S):
        while line not in (await gateway.client.get("/metrics")).text:  # noqa: ASYNC110 - it is seen from outside
            await asyncio.sleep(0.02)


async def answered_by(gateway: RunningGateway) -> str:
    answer: Mapping[str, Any] = (await gateway.chat(model="auto:best")).json()
    return str(answer["model"])


def test_a_backend_is_known_by_its_own_fingerprint_before_that_of_its_model() -> None:
    own = Fingerprint(model="strong", recorded="", self_mismatch=0.05, canaries=TEN)
    (watched,) = watched_backends([backend("strong", "http://127.0.0.1:1/v1")], [STRONG, own])
    assert watched.fingerprint is own


def test_a_folder_stands_for_every_fingerprint_below_it(tmp_path: Path) -> None:
    (tmp_path / "maker--strong").mkdir()
    recorded(tmp_path / "maker--strong")
    assert read_fingerprints(CanarySettings(files=(tmp_path,), every_s=60)) == (STRONG,)


def test_of_two_fingerprints_of_one_model_nobody_knows_which_holds(tmp_path: Path) -> None:
    path = recorded(tmp_path)
    with pytest.raises(InvalidSettingsError, match="two files know maker/strong"):
        read_fingerprints(CanarySettings(files=(path, path), every_s=60))


def test_a_file_that_cannot_be_read_is_named_before_anything_starts(tmp_path: Path) -> None:
    settings = Settings(state={"dir": tmp_path}, canaries={"files": (tmp_path / "away.json",), "every_s": 60})
    parts = Parts(settings=settings, backends=(), make_serving=serve_fixed, journal=ListJournal())
    with pytest.raises(InvalidSettingsError, match=r"canaries\.files: cannot read .*away\.json"):
        create_app(parts)


def test_canaries_that_could_convict_nobody_are_refused(tmp_path: Path) -> None:
    few = Fingerprint(model="m", recorded="", self_mismatch=0.05, canaries=TEN[:3])  # 0.05 cubed is above 1e-4
    with pytest.raises(InvalidSettingsError, match=r"3 canaries .* convict nobody"):
        read_fingerprints(CanarySettings(files=(recorded(tmp_path, few),), every_s=60))


def test_a_budget_that_never_suffices_is_refused_for_each_worker(tmp_path: Path) -> None:
    settings = CanarySettings(files=(recorded(tmp_path),), every_s=60, calls_per_day=19)
    assert read_fingerprints(settings) == (STRONG,)
    with pytest.raises(InvalidSettingsError, match=r"9 calls of each worker never ask the 10 canaries"):
        read_fingerprints(settings, workers=2)


def test_a_schedule_without_anything_to_ask_is_refused() -> None:
    with pytest.raises(InvalidSettingsError, match="nothing to ask"):
        read_fingerprints(CanarySettings(every_s=60))


def test_the_doctor_names_the_file_that_is_no_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{}")
    config = tmp_path / "paretogate.toml"
    config.write_text('[state]\ndir = "state"\n[canaries]\nfiles = ["bad.json"]\nevery_s = 3600\n')
    told = next(check for check in examine(config=config, environ={}, offline=True) if check.subject == "canaries")
    assert told.verdict == "broken"
    assert "bad.json" in told.detail
