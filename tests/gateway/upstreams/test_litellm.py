"""litellm stands between us and a fake provider: its answers, its streams and its failures come out as ours."""

import subprocess
import sys
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from catalog import Backend, Limits
from gateway.upstreams.fake import FakeProvider, Misbehaviour
from tests.gateway.running import running

pytestmark = [
    pytest.mark.loopback,
    pytest.mark.skipif(find_spec("litellm") is None, reason="the extra litellm is not installed"),
]


@asynccontextmanager
async def through_litellm(tmp_path: Path):
    async with FakeProvider(words=("hello",)) as provider:
        backend = Backend(
            id="strong",
            profile_id="maker/strong",
            kind="litellm",
            provider="openai",
            model_name="strong-raw",
            base_url=provider.url,
            limits=Limits(timeout_s=30, first_token_timeout_s=30),
        )
        async with running(backend, tmp_path=tmp_path, api_keys={"strong": "sk-test"}) as gateway:
            yield gateway, provider


async def test_answers_streams_and_failures_come_out_as_ours(tmp_path: Path) -> None:
    async with through_litellm(tmp_path) as (gateway, provider):
        whole = await gateway.chat()
        streamed = await gateway.chat(stream=True)
        provider.misbehave(Misbehaviour(fault="status", status=400))
        refused = await gateway.chat()
        provider.misbehave(Misbehaviour(fault="status", status=429, retry_after="60"))
        limited = await gateway.chat()
    assert whole.json()["choices"][0]["message"]["content"] == "hello"
    assert whole.json()["model"] == "maker/strong"
    assert provider.request_headers[0]["authorization"] == "Bearer sk-test"
    assert '"content":"hello"' in streamed.text
    assert streamed.text.endswith("data: [DONE]\n\n")
    assert [record["usage"]["input_tokens"] for record in gateway.journal.of("outcome")[:2]] == [10, 10]
    assert refused.status_code == 400
    assert (limited.status_code, limited.json()["error"]["code"]) == (429, "rate_limit_exceeded")


def test_without_such_a_backend_it_is_not_imported() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys, gateway.upstreams.litellm; print('litellm' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "False"
