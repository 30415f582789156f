"""A stream on its way through: held until its first content has come, then passed on as it arrives."""

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

from catalog import Backend
from gateway.errors import UpstreamProtocolError
from gateway.wire.stream import ChatStream

__all__ = ["OpenStream", "parts_of", "until_started"]


@dataclass(slots=True, kw_only=True)
class OpenStream:
    """A stream whose first content has arrived."""

    chunks: AsyncGenerator[bytes, None]
    reader: ChatStream
    held: bytes  # what the client gets first


async def until_started(chunks: AsyncIterator[bytes], reader: ChatStream, backend: Backend) -> bytes:
    """What came until the first content: up to there, another backend can still take over.

    Raises:
        UpstreamProtocolError: it ended or broke before.
    """
    held = []
    async for data in chunks:
        held.append(reader.take(data))
        if reader.fault is not None and not reader.started:
            raise UpstreamProtocolError(reader.fault, backend_id=backend.id)
        if reader.started or reader.done:
            return b"".join(held)
    held.append(reader.finish())
    if not reader.done:
        raise UpstreamProtocolError(reader.fault or "ended the stream", backend_id=backend.id)
    return b"".join(held)


async def parts_of(opened: OpenStream) -> AsyncIterator[bytes]:
    """What the client gets, up to the end or the fault that the reader then knows of."""
    reader = opened.reader
    if opened.held:
        yield opened.held
    if reader.has_ended():
        return
    async for data in opened.chunks:
        if out := reader.take(data):
            yield out
        if reader.has_ended():
            return
    if out := reader.finish():
        yield out
