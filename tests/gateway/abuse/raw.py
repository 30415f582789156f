"""A client of bytes: what no HTTP library would send, over a plain socket."""

import asyncio
import json
from collections.abc import AsyncIterable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Reply:
    """What came back; status 0 where the connection ended without an answer."""

    status: int
    head: bytes
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


NOTHING = Reply(0, b"", b"")


def post(path: str, body: bytes, *headers: bytes) -> bytes:
    """A well-formed request around a body that need not be."""
    lines = [f"POST {path} HTTP/1.1".encode(), b"host: x", b"content-type: application/json", *headers]
    return b"\r\n".join([*lines, b"content-length: %d" % len(body), b"", body])


async def say(
    url: str, parts: bytes | Iterable[bytes] | AsyncIterable[bytes], *, within_s: float = 20.0, pause_s: float = 0.0
) -> Reply:
    """Send bytes, piece by piece, and read the one answer. Not to be answered in time is an error."""
    where = urlsplit(url)
    async with asyncio.timeout(within_s):
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        try:
            sending = asyncio.create_task(_send(writer, [parts] if isinstance(parts, bytes) else parts, pause_s))
            try:
                return await _read(reader)
            finally:
                sending.cancel()
                with suppress(asyncio.CancelledError, ConnectionError):
                    await sending
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


async def _send(writer: asyncio.StreamWriter, parts: Iterable[bytes] | AsyncIterable[bytes], pause_s: float) -> None:
    if isinstance(parts, AsyncIterable):
        async for part in parts:
            writer.write(part)
            await writer.drain()
        return
    for part in parts:
        writer.write(part)
        await writer.drain()
        if pause_s:
            await asyncio.sleep(pause_s)


async def _read(reader: asyncio.StreamReader) -> Reply:
    """One response, by its length, its chunks or the connection's end."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        while head.startswith(b"HTTP/1.1 100"):
            head = await reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        lengths = [int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:")]
        if lengths:
            body = await reader.readexactly(lengths[0])
        elif any(line.startswith(b"transfer-encoding:") for line in lines):
            body = b""
            while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
                body += (await reader.readexactly(size + 2))[:-2]
            await reader.readuntil(b"\r\n")
        else:
            body = await reader.read()
    except (asyncio.IncompleteReadError, ConnectionError):
        return NOTHING
    return Reply(int(head.split(b" ", 2)[1]), head, body)
