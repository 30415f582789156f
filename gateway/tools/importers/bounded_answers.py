"""How long an MCP server's answer may be: whatever it sends is read as a whole, beside everybody's requests.

Of events the SDK's client bounds each itself; of whole answers nobody did.
"""

from collections.abc import AsyncIterator

import httpx2

__all__ = ["MOST_BYTES", "UnfitAnswerError", "bounded"]

MOST_BYTES = 8 << 20


class UnfitAnswerError(httpx2.ReadError):
    """Nobody will read this answer to its end; `message` is told to whoever called."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    @classmethod
    def too_long(cls) -> "UnfitAnswerError":
        """It has no end, or might as well have none."""
        return cls(f"the answer is longer than {MOST_BYTES >> 20} MB")


async def bounded(response: httpx2.Response) -> None:
    """Break the answer off where it gets too long; packed ones are refused, whose length nobody can know before."""
    packed = response.headers.get("content-encoding", "identity").strip().lower()
    if packed != "identity":
        raise UnfitAnswerError(f"the answer is packed ({packed:.20}), which was not asked for")
    if "event-stream" not in response.headers.get("content-type", ""):
        response.stream = _Bounded(response.stream)


class _Bounded(httpx2.AsyncByteStream):
    """A body that ends in an error once it is longer than any answer may be."""

    def __init__(self, body: object) -> None:
        assert isinstance(body, httpx2.AsyncByteStream)  # noqa: S101 - narrows the type; an asynchronous client has no other
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for part in self._body:
            size += len(part)
            if size > MOST_BYTES:
                raise UnfitAnswerError.too_long()
            yield part

    async def aclose(self) -> None:
        await self._body.aclose()
