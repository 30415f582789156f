"""What a gateway answered is in its journal, whatever happens to it afterwards."""

import json
import signal
from pathlib import Path

import pytest

from gateway.journal import JournalledCall, JournalReader
from tests.waiting import wait_until

from .conftest import Gateway, StartGateway, paretogate

pytestmark = [pytest.mark.loopback, pytest.mark.local_model]

HELLO = [{"role": "user", "content": "Say hello."}]


def eventually_stored(path: Path, response_id: str) -> str:
    def found() -> str | None:
        with JournalReader(path) as reader:
            return reader.decision_of(response_id)

    wait_until(lambda: path.exists() and found() is not None)
    decision_id = found()
    assert decision_id is not None
    return decision_id


def test_feedback_finds_its_decision_by_the_responses_id(gateway: Gateway) -> None:
    answer = gateway.client.chat.completions.with_raw_response.create(model="auto", messages=HELLO, max_tokens=4)
    response_id = answer.parse().id
    opinion = {"response_id": response_id, "metric": "thumbs", "value": 1.0}
    for _ in range(2):  # said twice, it counts once
        said = gateway.post("/v1/feedback", opinion, headers={"idempotency-key": response_id})
        assert said.status_code < 300, said.text

    journal = gateway.state / "journal.sqlite3"
    decision_id = eventually_stored(journal, response_id)
    assert decision_id == answer.headers["x-paretogate-decision-id"]

    def call() -> JournalledCall:
        with JournalReader(journal) as reader:
            (found,) = (c for c in reader.calls() if c.decision["decision_id"] == decision_id)
        return found

    wait_until(lambda: call().feedback)  # it follows its outcome into the store
    assert [feedback["value"] for feedback in call().feedback] == [1.0]
    assert call().outcomes[0]["status"] == "ok"
    assert "text" not in call().decision["query"]  # type: ignore[operator] # prompts are not kept unless asked for


def test_what_was_answered_survives_kill_minus_nine(start_gateway: StartGateway, tmp_path: Path) -> None:
    state = tmp_path / "state"
    first = start_gateway(state)
    answered = []
    for _ in range(5):
        raw = first.client.chat.completions.with_raw_response.create(model="auto", messages=HELLO, max_tokens=1)
        answered.append(raw.headers["x-paretogate-decision-id"])
    first.stop(signal.SIGKILL)

    second = start_gateway(state)
    last = second.client.chat.completions.create(model="auto", messages=HELLO, max_tokens=1)
    eventually_stored(state / "journal.sqlite3", last.id)
    assert second.stop() == 0
    with JournalReader(state / "journal.sqlite3") as reader:
        stored = [str(call.decision["decision_id"]) for call in reader.calls()]
    assert [decision for decision in stored if decision in answered] == answered
    assert len(stored) == len(set(stored)) == 6
    assert not list((state / "spool").iterdir())

    exported = paretogate("journal", "export", state=state)
    assert exported.returncode == 0, exported.stderr
    records = [json.loads(line) for line in exported.stdout.splitlines()]
    assert sum("candidates" in record for record in records) == 6
