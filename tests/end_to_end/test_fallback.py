"""A backend that is down is something that the operator sees and the client does not."""

from pathlib import Path

import pytest

from gateway.journal import JournalReader

from .conftest import StartGateway

pytestmark = [pytest.mark.loopback, pytest.mark.local_model]

HELLO = [{"role": "user", "content": "Say hello."}]
CONFIG = """
[[backends]]
id = "down"
profile = "openai/gpt-4o"
kind = "openai"
base_url = "http://127.0.0.1:1/v1"
"""


def test_the_next_of_the_ranking_answers_in_place_of_a_backend_that_is_down(
    start_gateway: StartGateway, tmp_path: Path
) -> None:
    file = tmp_path / "paretogate.toml"
    file.write_text(CONFIG, encoding="utf-8")
    running = start_gateway(tmp_path / "state", "--config", str(file))

    raw = running.client.chat.completions.with_raw_response.create(model="auto:best", messages=HELLO, max_tokens=4)
    assert raw.parse().choices[0].message.content
    assert raw.headers["x-paretogate-backend"].startswith("embedded/")
    assert raw.headers["x-paretogate-fallback-from"] == "down"

    kept_to = running.post(
        "/v1/chat/completions",
        {"model": "gpt-4o", "messages": HELLO, "routing": {"allow_fallbacks": False}},
    )
    assert kept_to.status_code in {502, 503}  # refused, or resting since it was
    assert kept_to.json()["error"]["code"] in {"upstream_failed", "overloaded"}

    assert running.stop() == 0
    with JournalReader(running.state / "journal.sqlite3") as reader:
        first, *_ = reader.calls()
    assert first.outcomes[0]["attempts"] == [{"backend": "down", "error": "unreachable"}]
