from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from catalog import Backend, Limits
from gateway.errors import UpstreamTimeoutError, UpstreamUnreachableError
from gateway.upstreams.fake import FakeProvider, Misbehaviour
from gateway.upstreams.openai import OpenAIUpstream, retry_after_s
from gateway.upstreams.protocol import UpstreamCall

BODY = b'{"model": "m", "messages": [{"role": "user", "content": "hi"}]}'


def call(url: str, *, deadline_s: float = 5.0) -> UpstreamCall:
    backend = Backend(
        id="b", profile_id="x/m", kind="openai", provider="x", model_name="m", base_url=url, limits=Limits()
    )
    return UpstreamCall(backend=backend, body=BODY, deadline_s=deadline_s)


@pytest.mark.loopback
async def test_a_name_that_does_not_exist_is_unreachable() -> None:
    upstream = OpenAIUpstream(api_keys={})
    with pytest.raises(UpstreamUnreachableError):
        await upstream.complete(call("http://no-such-host.invalid/v1"))
    await upstream.close()


@pytest.mark.loopback
async def test_a_deadline_is_kept() -> None:
    upstream = OpenAIUpstream(api_keys={})
    async with FakeProvider() as provider:
        provider.misbehave(Misbehaviour(fault="slow_first_token", delay_s=5))
        with pytest.raises(UpstreamTimeoutError) as caught:
            await upstream.complete(call(provider.url, deadline_s=0.1))
    await upstream.close()
    assert 0.1 <= caught.value.after_s < 5.0


@pytest.mark.loopback
async def test_a_connection_is_used_again() -> None:
    upstream = OpenAIUpstream(api_keys={})
    async with FakeProvider() as provider:
        for _ in range(3):
            await upstream.complete(call(provider.url))
        streamed = replace(call(provider.url), body=BODY[:-1] + b', "stream": true}')
        assert b"[DONE]" in b"".join([data async for data in upstream.stream(streamed)])
        assert upstream._client.n_idle == 1
    await upstream.close()


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        *[("3", 3.0), ("0.5", 0.5), ("-1", 0.0), ("soon", None), ("", None), (None, None)],
        *[("inf", 3_600.0), ("1e999", 3_600.0), ("nan", None), ("Wed, 21 Oct 2099 07:28:00 GMT", 3_600.0)],
    ],
)
def test_how_long_to_wait_is_read_from_a_number(header: str | None, seconds: float | None) -> None:
    assert retry_after_s(header) == seconds


def test_how_long_to_wait_is_read_from_a_date() -> None:
    header = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert retry_after_s(header) == pytest.approx(90, abs=2)
