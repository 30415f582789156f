"""Small chunks of a stream leave at once, on both of our sides: TCP_NODELAY, on either event loop.

Without it a chunk waits for the peer's delayed acknowledgement, some 40 ms; two gateways in Rust were seen to.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import uvicorn
import uvloop

from catalog import Backend
from gateway.server.connection import GuardedHttp
from gateway.upstreams.fake import FakeProvider
from gateway.upstreams.openai import OpenAIUpstream
from gateway.upstreams.protocol import UpstreamCall
from tests.waiting import AT_MOST_S

pytestmark = pytest.mark.loopback

BODY = b'{"model": "m", "messages": [{"role": "user", "content": "hi"}]}'
LOOPS = pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
NewLoop = Callable[[], asyncio.AbstractEventLoop]


def sends_at_once(transport: Any) -> bool:
    return bool(transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))


@LOOPS
def test_what_we_send_to_backends_leaves_at_once(loop: NewLoop) -> None:
    async def connected() -> list[bool]:
        upstream = OpenAIUpstream(api_keys={})
        async with FakeProvider() as provider:
            backend = Backend(
                id="b", profile_id="x/m", kind="openai", provider="x", model_name="m", base_url=provider.url
            )
            await upstream.complete(UpstreamCall(backend=backend, body=BODY, deadline_s=20))
            pooled = [connection for kept in upstream._client._idle.values() for connection in kept]
            found = [sends_at_once(connection._transport) for connection in pooled]
        await upstream.close()
        return found

    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(connected()) == [True]


@LOOPS
def test_what_we_send_to_clients_leaves_at_once(loop: NewLoop) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def connected() -> list[bool]:
        server = uvicorn.Server(uvicorn.Config(app, port=0, http=GuardedHttp, lifespan="off", log_level="error"))
        task = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.005)
        port = server.servers[0].sockets[0].getsockname()[1]
        async with httpx.AsyncClient(timeout=AT_MOST_S) as client:
            await client.get(f"http://127.0.0.1:{port}/")
            found = [sends_at_once(protocol.transport) for protocol in server.server_state.connections]
        server.should_exit = True
        await task
        return found

    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(connected()) == [True]
