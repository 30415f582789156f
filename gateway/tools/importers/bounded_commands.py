"""MCP servers on standard input whose words are bounded: the SDK's own transport keeps a line of any length.

What such a server says on standard error may quote what it was asked, and belongs into no log of ours.
"""

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, Process, SubprocessStreamProtocol
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import anyio
import mcp_types
from mcp.client.stdio import StdioServerParameters, get_default_environment
from mcp.shared.message import SessionMessage

from .bounded_answers import MOST_BYTES, UnfitAnswerError

__all__ = ["bounded_command"]

_MOST_IN_ALL: Final = 8 * MOST_BYTES  # of all that one server says: pages of tools, notifications, other lines
_LEAVES_WITHIN_S: Final = 2.0  # of the end of its input, and then of each signal
_PIECE: Final = 65_536  # bytes thrown away at once


@asynccontextmanager
async def bounded_command(server: StdioServerParameters, *, is_heard: bool) -> AsyncIterator[tuple[Any, Any]]:
    """The two streams of the SDK's client to a server that is started for it, and stopped with all of its children.

    Args:
        server: the command, its arguments and its variables.
        is_heard: whether its standard error is ours: for whoever runs it at a terminal.

    Raises:
        OSError: it cannot be started.
        UnfitAnswerError: it says more than any answer may be; in a group, as the SDK's own failures are.
    """
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.subprocess_exec(
        lambda: SubprocessStreamProtocol(limit=MOST_BYTES, loop=loop),
        *(server.command, *server.args),
        env=get_default_environment() | (server.env or {}),
        stderr=None if is_heard else DEVNULL,
        start_new_session=True,
    )
    process = Process(transport, protocol, loop)
    said, heard = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    to_say, saying = anyio.create_memory_object_stream[SessionMessage](0)
    try:
        async with anyio.create_task_group() as group, said, heard, to_say, saying:
            group.start_soon(_listen, process.stdout, said)
            group.start_soon(_speak, process.stdin, saying, said)
            yield heard, to_say
            group.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            await _stop(process)
        transport.close()


async def _listen(stdout: Any, said: Any) -> None:  # noqa: ANN401 - a pipe always; the SDK's stream
    """Pass its lines on, one after the other; what is no message is the client's to pass over.

    Raises:
        UnfitAnswerError: a line has no end, or there are too many.
    """
    size = 0
    with suppress(asyncio.IncompleteReadError, anyio.BrokenResourceError, anyio.ClosedResourceError):
        while size < _MOST_IN_ALL:
            try:
                line = await stdout.readuntil(b"\n")
            except asyncio.LimitOverrunError as exc:
                raise UnfitAnswerError.too_long() from exc
            size += len(line)
            await said.send(_message(line))
        raise UnfitAnswerError.too_long()
    await said.aclose()  # not before: the client would tell of a closed connection, and not why


async def _speak(stdin: Any, saying: Any, said: Any) -> None:  # noqa: ANN401 - likewise
    """Pass on what the client says; a server that takes no more of it has gone."""
    async with saying:
        try:
            async for each in saying:
                stdin.write(each.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")
                await stdin.drain()
        except OSError:
            await said.aclose()


def _message(line: bytes) -> SessionMessage | Exception:
    try:
        return SessionMessage(mcp_types.jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError as exc:
        return exc


async def _stop(process: Process) -> None:
    """As MCP has it: the end of its input, then signals, which reach its children too."""
    assert process.stdin is not None  # noqa: S101 - narrows the type
    process.stdin.close()
    await _has_left(process)
    for last in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, last)
        if await _has_left(process):
            return


async def _has_left(process: Process) -> bool:
    """Whether it and whoever has its output have ended; what they still say is let go."""
    assert process.stdout is not None  # noqa: S101 - narrows the type
    with anyio.move_on_after(_LEAVES_WITHIN_S):
        while await process.stdout.read(_PIECE):
            pass
        await process.wait()
        return True
    return False
