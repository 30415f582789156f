"""A model server that runs on this machine joins by itself."""

import json
from pathlib import Path

import pytest

from .conftest import Gateway, StartGateway

pytestmark = [pytest.mark.loopback, pytest.mark.local_model]


def test_a_llama_cpp_server_on_loopback_is_found_and_answers(
    gateway: Gateway, start_gateway: StartGateway, tmp_path: Path
) -> None:
    (serving_already,) = gateway.backends
    more = {
        "PARETOGATE_EMBEDDED__ENABLED": "off",
        "PARETOGATE_DISCOVERY__LOOPBACK": "true",
        "PARETOGATE_DISCOVERY__LOOPBACK_URLS": json.dumps([serving_already["url"]]),
    }
    for attempt in range(5):  # it is given 0.6 s to say what it serves, which on a busy machine it may not do
        second = start_gateway(tmp_path / f"state-{attempt}", more=more)
        if second.backends:
            break
    (joined,) = second.backends
    assert joined["kind"] == "llama_cpp"
    answer = second.client.chat.completions.create(
        model="auto",
        messages=[{"role": "user", "content": "Say hello."}],
        max_tokens=4,
        extra_body={"routing": {"require": {"privacy": "local", "tiers": ["device"]}}},
    )
    assert answer.choices[0].message.content
