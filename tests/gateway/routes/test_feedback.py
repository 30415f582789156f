from pathlib import Path

import pytest

from gateway.journal import SqliteJournal
from tests.gateway.governance.test_governor import make_key
from tests.gateway.running import pair

pytestmark = pytest.mark.loopback


async def test_feedback_is_kept_by_decision_or_by_response(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, _, __):
        answer = (await gateway.chat()).json()
        by_response = await gateway.client.post("/v1/feedback", json={"response_id": answer["id"], "value": 0.8})
        by_decision = await gateway.client.post(
            "/v1/feedback",
            json={"decision_id": "dec_1", "metric_name": "helpful", "value": True},
            headers={"idempotency-key": "once"},
        )
    assert (by_response.status_code, by_decision.json()["idempotency_key"]) == (200, "once")
    first, second = gateway.journal.of("feedback")
    assert (first["response_id"], first["metric"], first["value"]) == ("chatcmpl-fake", "quality", 0.8)
    assert (second["decision_id"], second["metric"], second["value"]) == ("dec_1", "helpful", True)


async def test_the_same_feedback_has_the_same_key(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, _, __):
        said = [await gateway.client.post("/v1/feedback", json={"decision_id": "d", "value": v}) for v in (1, 1, 0)]
    keys = [answer.json()["idempotency_key"] for answer in said]
    assert keys[0] == keys[1] != keys[2]


async def test_a_verdict_becomes_a_score(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, _, __):
        for verdict in ("good_fit", "underpowered"):
            await gateway.client.post("/v1/router/outcomes", json={"replay_id": "d", "verdict": verdict})
    assert [record["value"] for record in gateway.journal.of("feedback")] == [1.0, 0.0]


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({"value": 1}, "decision_id or response_id"),
        ({"decision_id": "d"}, "value"),
        ({"decision_id": "d", "value": 1, "colour": "red"}, "colour"),
        ({"decision_id": "d", "value": [1]}, "value"),
        ({"decision_id": "d", "value": 1, "tags": {"t": "x" * 2_001}}, "tags"),
        ({"decision_id": "d", "value": 1, "tags": {str(number): "" for number in range(65)}}, "tags"),
    ],
)
async def test_wrong_feedback_is_told_what_is_wrong(tmp_path: Path, body: dict[str, object], names: str) -> None:
    async with pair(tmp_path) as (gateway, _, __):
        answer = await gateway.client.post("/v1/feedback", json=body)
    assert answer.status_code == 400
    assert names in answer.json()["error"]["message"]
    assert gateway.journal.of("feedback") == []


async def test_nobody_says_in_anothers_place_what_that_other_has_yet_to_say(tmp_path: Path) -> None:
    """Whatever the tenants are called, and whatever keys their clients give: the first to say a thing is believed."""
    said: list[tuple[dict[str, str], str]] = [
        ({}, "acme:eu:1"),
        (make_key(tmp_path, tenant="acme"), "eu:1"),
        (make_key(tmp_path, tenant="acme:eu"), "1"),
        (make_key(tmp_path, tenant="acme%3Aeu"), "1"),
        ({}, ":acme:eu:1"),
    ]
    async with pair(tmp_path) as (gateway, _, __):
        for key, idempotency_key in said:
            headers = {**key, "idempotency-key": idempotency_key}
            answer = await gateway.client.post("/v1/feedback", json={"decision_id": "d", "value": 1}, headers=headers)
            assert answer.status_code == 200
    assert len({record["idempotency_key"] for record in gateway.journal.of("feedback")}) == len(said)


@pytest.mark.parametrize(
    ("path", "more"), [("/v1/feedback", {"value": 1}), ("/v1/router/outcomes", {"verdict": "good_fit"})]
)
async def test_feedback_counts_as_a_request_for_it_takes_a_place_in_the_journal(
    tmp_path: Path, path: str, more: dict[str, object]
) -> None:
    key = make_key(tmp_path, requests_per_minute=2)
    async with pair(tmp_path) as (gateway, _, _):
        said = [
            await gateway.client.post(path, json={"decision_id": f"dec_{n}", **more}, headers=key) for n in range(3)
        ]
    assert [answer.status_code for answer in said] == [200, 200, 429]
    assert "retry-after" in said[-1].headers
    assert len(gateway.journal.of("feedback")) == 2


@pytest.mark.parametrize(
    ("path", "more"), [("/v1/feedback", {"value": 1}), ("/v1/router/outcomes", {"verdict": "good_fit"})]
)
async def test_feedback_that_cannot_be_kept_is_to_be_said_again_though_answers_go_on(
    tmp_path: Path, path: str, more: dict[str, object]
) -> None:
    """Whoever was told 200 would never say it again."""
    journal = SqliteJournal(tmp_path / "journal.sqlite3", spool_max_bytes=0)
    async with pair(tmp_path, journal=journal) as (gateway, _, __):
        answer = await gateway.chat()
        said = await gateway.client.post(path, json={"decision_id": "d", **more})
    assert (answer.status_code, said.status_code) == (200, 503)
    assert "say it again" in said.json()["error"]["message"]
    assert said.headers["retry-after"] == "30"
