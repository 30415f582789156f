"""From a gateway's own journal to a predictor that decides in it: served, trained, judged, promoted, rolled back."""

import asyncio
import json
import random
from pathlib import Path

import pytest

from catalog import Backend, Catalog
from gateway.journal import SqliteJournal
from gateway.parts import Binder
from gateway.settings import Settings
from gateway.upstreams.fake import FakeProvider
from tests.gateway.running import RunningGateway, running
from tests.waiting import AT_MOST_S

from .conftest import paretogate

pytestmark = pytest.mark.loopback

MODELS = ("openai/gpt-4o-mini", "openai/gpt-4o")  # the second costs sixteen times as much
EXPLORE = 0.5
N_ROUNDS = 150
SETTINGS = {"learning": {"explore": EXPLORE, "watch_s": 0.05, "refine_every_s": 0}}


def question(rng: random.Random) -> tuple[str, bool]:
    """A sum, which both models can, or a verse, which only the dear one can; and whether it is a sum."""
    if rng.random() < 0.5:
        a, b, c = (rng.randint(100, 999) for _ in range(3))
        return f"Compute {a} + {b} - {c} and give the number only.", True
    things = rng.sample(["river", "lantern", "orchard", "winter", "harbour", "violin", "meadow", "storm"], 3)
    return f"Write a melancholy verse about a {things[0]}, a {things[1]} and a {things[2]}.", False


async def served(gateway: RunningGateway, rng: random.Random) -> None:
    """One request and what its client thought of the answer."""
    prompt, is_sum = question(rng)
    answer = await gateway.chat(messages=[{"role": "user", "content": prompt}])
    assert answer.status_code == 200, answer.text
    is_right = is_sum or answer.headers["x-paretogate-model"] == MODELS[1]
    opinion = {
        "decision_id": answer.headers["x-paretogate-decision-id"],
        "metric": "right",
        "value": float(is_right),
    }
    assert (await gateway.client.post("/v1/feedback", json=opinion)).status_code < 300


async def command(*arguments: str, state: Path) -> tuple[int, str, str]:
    done = await asyncio.to_thread(paretogate, *arguments, state=state)
    return done.returncode, done.stdout, done.stderr


async def version(gateway: RunningGateway) -> str:
    body = {"model": "auto", "messages": [{"role": "user", "content": "hi"}]}
    told = (await gateway.client.post("/routing/v1/chat/completions", json=body)).json()
    return str(told["versions"]["predictor"])


async def changes(gateway: RunningGateway, *, since: str) -> str:
    async with asyncio.timeout(AT_MOST_S):
        while (now := await version(gateway)) == since:  # noqa: ASYNC110 - what is awaited happens in the gateway
            await asyncio.sleep(0.05)
    return now


async def test_a_predictor_learned_from_the_journal_is_judged_by_later_traffic_and_decides(tmp_path: Path) -> None:
    settings = Settings(**{"state": {"dir": tmp_path}, **SETTINGS})
    binder, rng = Binder(settings, Catalog.load()), random.Random(0)
    async with FakeProvider(words=("an", " answer")) as provider:
        backends = [
            Backend(id=f"b{i}", profile_id=model, kind="openai", provider="openai", model_name=model,
                    base_url=provider.url)
            for i, model in enumerate(MODELS)
        ]  # fmt: skip
        journals = [SqliteJournal(tmp_path / name, prompts="full") for name in ("first.sqlite3", "journal.sqlite3")]
        for journal in journals:
            async with running(
                *backends, tmp_path=tmp_path, settings=SETTINGS, make_serving=binder, promoted=binder, journal=journal
            ) as gateway:
                for _ in range(N_ROUNDS):
                    await served(gateway, rng)

        replayed = await command("replay", str(tmp_path / "first.sqlite3"), "--json", state=tmp_path)
        assert replayed[0] == 0, replayed[2]
        assert {row["policy"] for row in json.loads(replayed[1])} >= {"best", "cheap"}

        folder = tmp_path / "challenger"
        trained = await command("train", str(tmp_path / "first.sqlite3"), "--out", str(folder), state=tmp_path)
        assert trained[0] == 0, trained[2]

        known = await command("promote", str(folder), "--on", str(tmp_path / "first.sqlite3"), state=tmp_path)
        assert known[0] == 1
        assert "prompts of the evidence trained the challenger" in known[2]

        async with running(
            *backends, tmp_path=tmp_path, settings=SETTINGS, make_serving=binder, promoted=binder
        ) as gateway:
            shipped = await version(gateway)
            promoted = await command(
                "promote", str(folder), "--policy", "cheap", "--at-least", "100", "--json", state=tmp_path
            )
            assert promoted[0] == 0, promoted[2]
            facts = json.loads(promoted[1])
            assert facts["version"] == 1
            assert facts["score"]["difference"]["lower"] > 0  # it has learned who can write verses
            learned = await changes(gateway, since=shipped)
            assert (await command("rollback", state=tmp_path))[0] == 0
            assert await changes(gateway, since=learned) == shipped
            assert (await command("rollback", state=tmp_path))[0] == 1
