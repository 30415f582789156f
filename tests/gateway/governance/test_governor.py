"""Keys, quotas and conversations over real sockets, before fake providers; two gateways and one real Redis."""

import asyncio
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.keys import KeyFile, issue
from gateway.settings import InvalidSettingsError
from gateway.upstreams.fake import FakeProvider, Misbehaviour
from tests.gateway.running import CHAT, HI, RunningGateway, backend, pair, running
from tests.gateway.state.servers import RedisServer
from tests.waiting import AT_MOST_S, until

pytestmark = pytest.mark.loopback

REQUIRED = {"auth": {"required": True}}


def make_key(folder: Path, **what: Any) -> dict[str, str]:
    """The header that carries a new key."""
    key, token = issue(random_bytes=os.urandom, now_s=0.0, **{"tenant": "acme", **what})
    KeyFile(folder / "keys.json").change(lambda keys: (*keys, key))
    return {"authorization": f"Bearer {token}"}


async def ask(gateway: RunningGateway, key: Mapping[str, str], **body: Any) -> Any:
    return await gateway.client.post(CHAT, json={"model": "auto", "messages": HI, **body}, headers=key)


async def test_without_a_key_nobody_comes_in_where_keys_are_required(tmp_path: Path) -> None:
    key = make_key(tmp_path)
    async with pair(tmp_path, settings=REQUIRED) as (gateway, strong, cheap):
        for path in (CHAT, "/v1/messages", "/v1/responses", f"/routing{CHAT}", "/v1/messages/count_tokens"):
            assert (await gateway.client.post(path, json={})).status_code == 401, path
        for path in ("/v1/models", "/metrics", "/dashboard/data/models"):
            assert (await gateway.client.get(path)).status_code == 401, path
        wrong = await ask(gateway, {"authorization": "Bearer sk-pg-000000000000-" + "A" * 43})
        assert (wrong.status_code, wrong.json()["error"]["code"]) == (401, "invalid_api_key")
        anthropic = await gateway.client.post("/v1/messages", json={})
        assert anthropic.json()["error"]["type"] == "authentication_error"
        assert (await gateway.client.get("/health")).status_code == 200
        assert strong.requests == cheap.requests == []
        assert (await ask(gateway, key)).status_code == 200
        assert (await ask(gateway, {"x-api-key": key["authorization"].removeprefix("Bearer ")})).status_code == 200


async def test_on_loopback_clients_may_send_any_word_as_their_key(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, _, __):
        assert (await ask(gateway, {"authorization": "Bearer unused"})).status_code == 200
        assert (await ask(gateway, {"authorization": "Bearer sk-pg-mistyped"})).status_code == 401


async def test_only_an_admin_sees_metrics(tmp_path: Path) -> None:
    user, admin = make_key(tmp_path), make_key(tmp_path, admin=True)
    async with pair(tmp_path, settings=REQUIRED) as (gateway, _, __):
        assert (await gateway.client.get("/metrics", headers=user)).status_code == 403
        assert (await gateway.client.get("/metrics", headers=admin)).status_code == 200


async def test_an_address_that_others_reach_needs_keys(tmp_path: Path) -> None:
    reachable = {"server": {"host": "0.0.0.0"}}
    with pytest.raises(InvalidSettingsError, match=r"auth\.allow_open"):
        async with pair(tmp_path, settings=reachable):
            pass
    async with pair(tmp_path, settings={**reachable, "auth": {"allow_open": True}}) as (gateway, _, __):
        assert (await gateway.chat()).status_code == 200
    make_key(tmp_path)
    async with pair(tmp_path, settings=reachable) as (gateway, _, __):
        assert (await gateway.chat()).status_code == 401


async def test_records_say_whose_request_it_was(tmp_path: Path) -> None:
    key = make_key(tmp_path, tenant="acme")
    async with pair(tmp_path) as (gateway, _, __):
        answer = await ask(gateway, key)
        told = {"decision_id": answer.headers["x-paretogate-decision-id"], "value": 1.0}
        await gateway.client.post("/v1/feedback", json=told, headers=key)
    decision, feedback = gateway.journal.of("decision")[0], gateway.journal.of("feedback")[0]
    assert decision["tenant"] == feedback["tenant"] == "acme"
    assert decision["key_id"] == key["authorization"].split("-")[2]


async def test_a_key_opens_the_models_on_its_list(tmp_path: Path) -> None:
    key = make_key(tmp_path, allow=("maker/ch*",))
    async with pair(tmp_path) as (gateway, strong, _):
        assert (await ask(gateway, key, routing={"policy": "best"})).json()["model"] == "maker/cheap"
        refused = await ask(gateway, key, model="maker/strong")
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden")
        assert strong.requests == []


async def test_a_keys_policy_is_for_requests_that_name_none(tmp_path: Path) -> None:
    key = make_key(tmp_path, policy="cheap")
    named = (
        ({}, {}, "cheap"),
        ({"routing": {"require": {"min_quality": 0.1}}}, {}, "cheap"),
        ({"routing": {"policy": "balanced"}}, {}, "balanced"),  # which is what says nothing, too
        ({"model": "auto:balanced"}, {}, "balanced"),
        ({}, {"x-paretogate-policy": "balanced"}, "balanced"),
        ({"routing": {"policy": "best"}}, {}, "best"),
    )
    async with pair(tmp_path) as (gateway, _, __):
        for body, headers, policy in named:
            answer = await ask(gateway, {**key, **headers}, **body)
            assert answer.headers.get("x-paretogate-policy") == policy, body


async def test_too_many_requests_are_told_when_to_come_back(tmp_path: Path) -> None:
    key = make_key(tmp_path, requests_per_minute=2)
    async with pair(tmp_path) as (gateway, _, __):
        began_s = time.monotonic()
        first, second, third = [await ask(gateway, key) for _ in range(3)]
        passed_s = time.monotonic() - began_s
    assert [r.headers["x-ratelimit-remaining-requests"] for r in (first, second, third)] == ["1", "0", "0"]
    assert (third.status_code, third.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert 30 - passed_s <= int(third.headers["retry-after"]) <= 30  # half a minute, less what has passed
    assert len(gateway.journal.of("decision")) == 2  # nothing was decided in vain


@pytest.mark.parametrize("stream", [False, True])
async def test_a_budget_is_charged_with_the_bill(tmp_path: Path, stream: bool) -> None:
    # The fake reports 5 tokens in and one per word out. The forecast says $0.2 for strong and $0.002 for cheap.
    key = make_key(tmp_path, budget_usd_per_day=0.21)
    async with pair(tmp_path) as (gateway, strong, _):
        for n in range(1, 6):  # five forecasts would be a dollar
            answer = await ask(gateway, key, routing={"policy": "best"}, stream=stream)
            assert answer.status_code == 200, answer.text
            await until(lambda n=n: len(gateway.journal.of("outcome")) == n)  # a stream is settled just after its end
        assert len(strong.requests) == 5


async def test_who_cannot_afford_the_best_gets_what_is_affordable_and_then_nothing(tmp_path: Path) -> None:
    affords_cheap, affords_none = (
        make_key(tmp_path, budget_usd_per_day=0.1),
        make_key(tmp_path, budget_usd_per_day=0.001),
    )
    async with pair(tmp_path) as (gateway, strong, cheap):
        assert (await ask(gateway, affords_cheap, routing={"policy": "best"})).json()["model"] == "maker/cheap"
        for body in ({}, {"model": "maker/cheap"}, {"routing": {"on_infeasible": "cheapest"}}):
            refused = await ask(gateway, affords_none, **body)
            assert (refused.status_code, refused.json()["error"]["code"]) == (402, "budget_exceeded"), body
        assert (len(strong.requests), len(cheap.requests)) == (0, 1)


async def test_a_request_for_several_answers_takes_the_tokens_of_all(tmp_path: Path) -> None:
    key = make_key(tmp_path, tokens_per_minute=300)  # an answer is forecast to have 100
    async with pair(tmp_path) as (gateway, _, __):
        assert (await ask(gateway, key, n=5)).status_code == 429
        assert (await ask(gateway, key, n=2)).status_code == 200
    decisions = gateway.journal.of("decision")
    assert [decision["query"]["n_answers"] for decision in decisions] == [5, 2]


async def test_who_lets_amounts_give_way_is_not_answered_by_a_fallback_beyond_the_budget(tmp_path: Path) -> None:
    key = make_key(tmp_path, budget_usd_per_day=0.1)  # the forecast says $0.002 for cheap and $0.2 for strong
    wish = {"require": {"max_cost_usd": 1e-9}, "on_infeasible": "cheapest"}
    async with pair(tmp_path) as (gateway, strong, cheap):
        cheap.misbehave(Misbehaviour(fault="status", status=503), times=9)
        assert (await gateway.chat(routing=wish)).json()["model"] == "maker/strong"  # without a budget
        cheap.misbehave(Misbehaviour(fault="status", status=503), times=9)
        assert (await ask(gateway, key, routing=wish)).status_code == 502
    assert (len(strong.requests), len(cheap.requests) >= 2) == (1, True)


async def test_a_fallback_whose_bill_nobody_knows_is_charged_its_own_forecast(tmp_path: Path) -> None:
    key = make_key(tmp_path, budget_usd_per_day=0.21)  # of which the forecast for strong would leave $0.01
    async with pair(tmp_path) as (gateway, strong, cheap):
        cheap.answers_as = "another"  # which has no price here
        strong.misbehave(Misbehaviour(fault="status", status=503), times=9)
        fell_back = await ask(gateway, key, routing={"policy": "best"})
        assert fell_back.headers["x-paretogate-fallback-from"] == "strong"
        strong.behave()
        second = await ask(gateway, key, routing={"policy": "best"})
    assert second.json()["model"] == "maker/strong"


async def test_a_failed_call_costs_nothing_and_gives_its_place_back(tmp_path: Path) -> None:
    key = make_key(tmp_path, max_concurrency=1, budget_usd_per_day=0.0021)
    async with (
        FakeProvider() as provider,
        running(backend("cheap", provider.url), tmp_path=tmp_path) as gateway,
    ):
        provider.misbehave(Misbehaviour(fault="status", status=400))
        assert (await ask(gateway, key)).status_code == 400
        assert (await ask(gateway, key)).status_code == 200


async def test_a_client_that_leaves_gives_its_place_back(tmp_path: Path) -> None:
    key = make_key(tmp_path, max_concurrency=1)
    async with FakeProvider() as provider, running(backend("cheap", provider.url), tmp_path=tmp_path) as gateway:
        provider.misbehave(Misbehaviour(fault="slow_first_token", delay_s=600.0))
        leaving = asyncio.create_task(ask(gateway, key, stream=True))
        await provider.wait_until_asked()
        assert (await ask(gateway, key)).status_code == 429
        leaving.cancel()
        async with asyncio.timeout(AT_MOST_S):
            while (await ask(gateway, key)).status_code == 429:  # noqa: ASYNC110 - seen from outside only
                await asyncio.sleep(0.05)


async def test_a_conversation_stays_with_its_model(tmp_path: Path) -> None:
    turns = [*HI, {"role": "assistant", "content": "strong words"}, {"role": "user", "content": "go on"}]
    async with pair(tmp_path) as (gateway, _, __):
        assert (await gateway.chat(routing={"policy": "best"})).json()["model"] == "maker/strong"
        await gateway.chat(messages=turns)
    first, second = gateway.journal.of("decision")
    assert first["session"] == second["session"]
    assert first["session"].startswith("ses_")
    assert (first["last_backend"], second["last_backend"]) == (None, first["backend"])  # replays need it to stay, too


async def test_reasoning_that_was_signed_binds_its_conversation(tmp_path: Path) -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": "c2lnbmVk"}
    past = {"role": "assistant", "content": "strong words", "thinking_blocks": [thought]}
    async with pair(tmp_path) as (gateway, _, __):
        await gateway.chat(routing={"policy": "best", "session_id": "s"})
        turns = [*HI, past, {"role": "user", "content": "go on"}]
        answer = await gateway.chat(messages=turns, model="auto", routing={"policy": "best", "session_id": "s"})
    assert answer.headers["x-paretogate-model"] == "maker/strong"


async def test_planted_secrets_are_found_nowhere(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    key = make_key(tmp_path)
    secret = key["authorization"].rpartition("-")[2]
    async with pair(tmp_path, settings=REQUIRED) as (gateway, strong, _):
        answers = [
            await ask(gateway, key, routing={"policy": "best"}),
            await ask(gateway, key, nonsense="x", messages=[]),
            await ask(gateway, {"authorization": f"{key['authorization']}x"}),
            await gateway.client.get("/v1/models", headers=key),
        ]
        strong.misbehave(Misbehaviour(fault="reset"), times=3)
        answers.append(await ask(gateway, key, model="maker/strong"))
        metrics = await gateway.client.get("/metrics", headers=make_key(tmp_path, admin=True))
        upstream = repr(strong.request_headers)
    said = "".join(a.text + repr(a.headers) for a in answers) + repr(gateway.journal.records) + metrics.text + upstream
    written = capfd.readouterr()
    assert secret not in said + written.out + written.err


async def test_two_gateways_and_one_redis_admit_exactly_what_one_would(
    tmp_path: Path, redis_server: RedisServer
) -> None:
    key = make_key(tmp_path, requests_per_minute=7)
    settings = {**REQUIRED, "state": {"dir": tmp_path, "url": redis_server.url, "timeout_ms": 10_000}}
    async with (
        FakeProvider() as provider,
        running(backend("cheap", provider.url), tmp_path=tmp_path, settings=settings) as one,
        running(backend("cheap", provider.url), tmp_path=tmp_path, settings=settings) as other,
    ):
        answers = await asyncio.gather(*(ask(one if i % 2 else other, key) for i in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [429] * 13


async def test_a_dead_redis_is_noticed_by_nobody_but_the_operator(tmp_path: Path) -> None:
    admin = make_key(tmp_path, requests_per_minute=100, admin=True)
    settings = {"state": {"dir": tmp_path, "url": "redis://127.0.0.1:9/0"}}
    async with pair(tmp_path, settings=settings) as (gateway, _, __):
        assert [(await ask(gateway, admin)).status_code for _ in range(5)] == [200] * 5
        metrics = (await gateway.client.get("/metrics")).text
    assert "paretogate_state_degraded 1.0" in metrics


async def test_a_pinned_tenant_keeps_the_old_version_while_others_get_the_new_one(tmp_path: Path) -> None:
    pinned, free = make_key(tmp_path, deny=("maker/strong",)), make_key(tmp_path, tenant="other")
    async with pair(tmp_path, settings=REQUIRED) as (gateway, _, __):
        best = {"routing": {"policy": "best", "explore": False}}
        assert (await ask(gateway, free, **best)).headers["x-paretogate-model"] == "maker/strong"
        assert (await ask(gateway, pinned, **best)).headers["x-paretogate-model"] == "maker/cheap"
