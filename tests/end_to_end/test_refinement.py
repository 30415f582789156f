"""A backend that got slow is noticed by `paretogate refine`, and the running gateway decides differently."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Gateway, Relay, StartGateway, paretogate

pytestmark = [pytest.mark.loopback, pytest.mark.local_model]

QUESTION = [{"role": "user", "content": "Say hello."}]


def decided(gateway: Gateway) -> dict[str, object]:
    body = {"model": "auto", "messages": QUESTION, "max_tokens": 8, "routing": {"policy": "fast"}}
    answer = gateway.post("/routing/v1/chat/completions", body)
    assert answer.status_code == 200, answer.text
    decision: dict[str, object] = answer.json()
    return decision


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
    relays[before].delay_s = 1.0
    for name in (before, other):
        for length in (2, 6, 10, 14):
            second.client.chat.completions.create(model=name, messages=QUESTION, max_tokens=length)
    time.sleep(0.5)  # the outcomes reach the store within a tenth of a second
    refined = paretogate("refine", "--json", state=second.state)
    assert refined.returncode == 0, refined.stderr
    measured = json.loads(refined.stdout)["measured"]
    assert measured[before]["ttft_s"] > measured[other]["ttft_s"] + 0.2  # few calls lean on the profile

    deadline = time.monotonic() + 10
    while decided(second)["backend"] != other:
        assert time.monotonic() < deadline, "the running gateway did not take up what was measured"
        time.sleep(0.1)
