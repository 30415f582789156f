"""A key governs decisions that call nobody, too: which models they may name, and how many there may be."""

import time
from pathlib import Path
from typing import Any

import pytest

from gateway.journal import JournalFullError
from gateway.settings import InvalidSettingsError
from tests.gateway.running import CHAT, HI, ListJournal, pair

from .test_governor import ask, make_key

pytestmark = pytest.mark.loopback

WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "a decision's own door": (f"/routing{CHAT}", {}),
    "route_only": (CHAT, {"routing": {"route_only": True}}),
}
ways = pytest.mark.parametrize("way", list(WAYS))


@ways
async def test_a_decision_is_made_among_the_models_of_the_key(tmp_path: Path, way: str) -> None:
    key = make_key(tmp_path, allow=("maker/ch*",))
    path, more = WAYS[way]
    async with pair(tmp_path) as (gateway, _, __):
        for body in ({"model": "auto:best"}, {"model": "auto", "models": ["maker/cheap", "maker/strong"]}):
            told = await gateway.client.post(path, json={"messages": HI, **more, **body}, headers=key)
            assert told.json()["models"] == ["maker/cheap"], told.text
        named = await gateway.client.post(path, json={"messages": HI, "model": "strong", **more}, headers=key)
        assert (named.status_code, named.json()["error"]["code"]) == (403, "forbidden")
        routing = {**more.get("routing", {}), "models": {"allow": ["other/*"]}}
        beyond = await gateway.client.post(path, json={"messages": HI, "routing": routing}, headers=key)
        assert beyond.status_code == 422  # models without a backend are no way around the list


@ways
async def test_a_decision_counts_as_a_request_and_costs_nothing(tmp_path: Path, way: str) -> None:
    key = make_key(tmp_path, requests_per_minute=2, budget_usd_per_day=0.0021)  # one cheap call is forecast at $0.002
    path, more = WAYS[way]
    async with pair(tmp_path) as (gateway, _, __):
        body, began_s = {"model": "auto:cheap", "messages": HI, **more}, time.monotonic()
        assert (await gateway.client.post(path, json=body, headers=key)).status_code == 200
        assert (await ask(gateway, key, model="auto:cheap")).status_code == 200  # the budget is whole
        refused = await gateway.client.post(path, json=body, headers=key)
        passed_s = time.monotonic() - began_s
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    assert 30 - passed_s <= int(refused.headers["retry-after"]) <= 30


class FullJournal(ListJournal):
    def write(self, kind: str, record: Any) -> bool:
        raise JournalFullError(folder="/var/secret/place", problem="it holds 512 bytes already")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, {"messages": HI}),
        (CHAT, {"messages": HI, "stream": True}),
        ("/v1/messages", {"messages": HI, "max_tokens": 9}),
        ("/v1/responses", {"input": "hi"}),
        ("/v1/feedback", {"decision_id": "d", "value": 1.0}),
    ],
)
async def test_a_full_journal_that_was_told_to_refuse_is_a_503_that_says_so(
    tmp_path: Path, path: str, body: dict[str, Any]
) -> None:
    async with pair(tmp_path, journal=FullJournal()) as (gateway, strong, cheap):
        answer = await gateway.client.post(path, json=body)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
        if path != "/v1/messages":
            assert answer.json()["error"]["code"] == "journal_full"
        assert "secret" not in answer.text  # where it lies is nobody's business
        assert strong.requests == cheap.requests == []


async def test_what_auth_required_says_is_read_at_the_start_and_keys_at_any_time(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettingsError, match="no API key yet"):
        async with pair(tmp_path, settings={"auth": {"required": True}}):
            pass
    async with pair(tmp_path) as (gateway, _, __):
        make_key(tmp_path)
        assert (await gateway.chat()).status_code == 200  # a first key does not shut out who came without one
