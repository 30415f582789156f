"""A backend that got slow is noticed by `paretogate refine`, and the running gateway decides differently."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.journal import JournalReader
from tests.waiting import wait_until

from .conftest import Gateway, Relay, StartGateway, paretogate

pytestmark = [pytest.mark.loopback, pytest.mark.local_model]

QUESTION = [{"role": "user", "content": "Say hello."}]


def decided(gateway: Gateway) -> dict[str, object]:
    body = {"model": "auto", "messages": QUESTION, "max_tokens": 8, "routing": {"policy": "fast"}}
    answer = gateway.post("/routing/v1/chat/completions", body)
    assert answer.status_code == 200, answer.text
    decision: dict[str, object] = answer.json()
    return decision


def n_outcomes(journal: Path) -> int:
    if not journal.exists():
        return 0
    with JournalReader(journal) as reader:
        return sum(1 for _ in reader.outcomes())


def test_the_next_decisions_avoid_a_backend_that_got_slow(
    gateway: Gateway, start_gateway: StartGateway, relay_to: Callable[[str], Relay], tmp_path: Path
) -> None:
    (embedded,) = gateway.backends
    relays = {name: relay_to(embedded["url"]) for name in ("left", "right")}
    file = tmp_path / "paretogate.toml"
    file.write_text(
        "embedded.enabled = 'off'\n"
        + "".join(
            f"[[backends]]\nid = '{name}'\nprofile = '{embedded['model']}'\nkind = 'llama_cpp'\n"
            f"base_url = '{relay.url}'\nprice = {{input = 0, output = 0}}\n"
            for name, relay in relays.items()
        ),
        encoding="utf-8",
    )
    second = start_gateway(tmp_path / "state", "--config", str(file))

    before = str(decided(second)["backend"])
    other = "right" if before == "left" else "left"
    slowest_s = 0.0
    for name in (other, before):
        for length in (2, 6, 10, 14):
            began_s = time.monotonic()
            second.client.chat.completions.create(model=name, messages=QUESTION, max_tokens=length)
            slowest_s = max(slowest_s, time.monotonic() - began_s)
        relays[before].delay_s = max(1.0, 2 * slowest_s)  # slow, whatever the machine is doing besides
    wait_until(lambda: n_outcomes(second.state / "journal.sqlite3") == 8)
    refined = paretogate("refine", "--json", state=second.state)
    assert refined.returncode == 0, refined.stderr
    measured = json.loads(refined.stdout)["measured"]
    assert measured[before]["ttft_s"] > measured[other]["ttft_s"] + 0.2  # few calls lean on the profile

    wait_until(lambda: decided(second)["backend"] == other)  # the running gateway takes up what was measured
