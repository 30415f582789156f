"""The least that a Python gateway can do, to measure ours against: read the body, change the model, forward, relay."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

__all__ = ["pass_through"]


def pass_through(url: str) -> Starlette:
    """Starlette in front of one pooled aiohttp session."""
    session: list[aiohttp.ClientSession] = []

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        session.append(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        yield
        await session[0].close()

    async def chat(request: Request) -> Response:
        body = orjson.loads(await request.body())
        body["model"] = "mock"
        body.pop("routing", None)
        answer = await session[0].post(url + "/chat/completions", data=orjson.dumps(body))
        if not body.get("stream"):
            async with answer:
                return Response(await answer.read(), media_type="application/json")

        async def relay() -> AsyncIterator[bytes]:
            async with answer:
                async for part in answer.content.iter_any():
                    yield part

        return StreamingResponse(relay(), media_type="text/event-stream")

    return Starlette(routes=[Route("/v1/chat/completions", chat, methods=["POST"])], lifespan=lifespan)


if __name__ == "__main__":
    port, upstream = int(sys.argv[1]), int(sys.argv[2])
    app = pass_through(f"http://127.0.0.1:{upstream}/v1")
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", loop="uvloop", http="httptools")
