import asyncio
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from catalog import Backend, Limits
from gateway.errors import UpstreamNotAskedError, UpstreamTimeoutError, UpstreamUnreachableError, UpstreamUnusableError
from gateway.upstreams.fake import FakeProvider, Misbehaviour
from gateway.upstreams.openai import OpenAIUpstream, retry_after_s
from gateway.upstreams.protocol import UpstreamCall
from tests.waiting import AT_MOST_S

from .test_http1 import Server

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
BODY = b'{"model": "m", "messages": [{"role": "user", "content": "hi"}]}'


def call(url: str, *, deadline_s: float = AT_MOST_S) -> UpstreamCall:
    backend = Backend(
        id="b", profile_id="x/m", kind="openai", provider="x", model_name="m", base_url=url, limits=Limits()
    )
    return UpstreamCall(backend=backend, body=BODY, deadline_s=deadline_s)


@asynccontextmanager
async def serving(*answers: bytes) -> AsyncIterator[tuple[Server, str]]:
    """A server that says these, to the byte, and a base URL of it."""
    server = Server(*answers)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    async with listening:
        yield server, f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"


@pytest.mark.loopback
async def test_a_name_that_does_not_exist_is_unreachable() -> None:
    upstream = OpenAIUpstream(api_keys={})
    with pytest.raises(UpstreamUnreachableError):
        await upstream.complete(call("http://no-such-host.invalid/v1"))
    await upstream.close()


@pytest.mark.loopback
async def test_a_backend_that_no_file_was_left_to_call_was_not_asked() -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    upstream = OpenAIUpstream(api_keys={})
    async with FakeProvider() as provider:
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))  # fewer than are open already
        try:
            with pytest.raises(UpstreamNotAskedError, match="Too many open files on this machine"):
                await upstream.complete(call(provider.url))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        await upstream.complete(call(provider.url))
    await upstream.close()


@pytest.mark.loopback
async def test_a_deadline_is_kept() -> None:
    upstream = OpenAIUpstream(api_keys={})
    async with FakeProvider() as provider:
        provider.misbehave(Misbehaviour(fault="slow_first_token", delay_s=600))
        with pytest.raises(UpstreamTimeoutError) as caught:
            await upstream.complete(call(provider.url, deadline_s=0.1))
    await upstream.close()
    assert 0.1 <= caught.value.after_s < 60.0


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


@pytest.mark.loopback
async def test_what_stands_behind_a_question_mark_in_the_address_stays_there() -> None:
    """Azure wants its API's version in every address."""
    upstream = OpenAIUpstream(api_keys={})
    async with serving(ANSWER, ANSWER) as (server, url):
        await upstream.complete(call(f"{url}?api-version=preview"))
        await upstream.complete(call(f"{url}/?api-version=preview"))
    await upstream.close()
    assert {asked.split(b"\r\n")[0] for asked in server.asked} == {
        b"POST /v1/chat/completions?api-version=preview HTTP/1.1"
    }


@pytest.mark.loopback
@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_an_address_that_leads_elsewhere_is_to_be_mended_and_not_asked_again(status: int) -> None:
    upstream = OpenAIUpstream(api_keys={})
    moved = b"HTTP/1.1 %d Moved\r\nlocation: https://h/v1/chat/completions\r\ncontent-length: 0\r\n\r\n" % status
    async with serving(moved) as (_, url):
        with pytest.raises(UpstreamUnusableError, match=f"status {status} leads elsewhere; base_url has to be"):
            await upstream.complete(call(url))
    await upstream.close()


@pytest.mark.loopback
async def test_a_byte_order_mark_before_an_answer_is_none_of_its_words() -> None:
    upstream = OpenAIUpstream(api_keys={})
    marked = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 5\r\n\r\n\xef\xbb\xbf{}"
    async with serving(marked) as (_, url):
        assert await upstream.complete(call(url)) == b"{}"
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


def test_how_long_to_wait_may_be_told_in_milliseconds() -> None:
    assert retry_after_s("1", exactly_ms="250") == 0.25
    assert retry_after_s("1", exactly_ms="soon") == 1.0


def test_how_long_to_wait_is_read_from_a_date() -> None:
    header = format_datetime(datetime.now(UTC) + timedelta(seconds=1_800), usegmt=True)
    assert retry_after_s(header) == pytest.approx(1_800, abs=60)
