"""MCP servers through the official SDK: what they offer, and calls of it. A connection lasts for one question.

The SDK is the extra `mcp`; it is imported only when a server is asked.
"""

import asyncio
import shlex
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from predictors.tools import ToolUsage

from .errors import InvalidRegistryError, ToolServerError
from .importing import Imported
from .registries import StoredTool

__all__ = ["call_server", "describe_server", "import_server"]


def describe_server(address: str) -> dict[str, Any]:
    """How a server is reached: a URL of streamable HTTP, or the command line of a server on standard input.

    Raises:
        InvalidRegistryError: it is empty, or a quotation in it has no end.
    """
    if address.startswith(("http://", "https://")):
        return {"url": address}
    try:
        words = shlex.split(address)
    except ValueError as exc:
        raise InvalidRegistryError(f"an MCP server's command is no command line: {str(exc).lower()}") from exc
    if not words:
        raise InvalidRegistryError("an MCP server is a URL, or a command such as 'python server.py'")
    return {"command": words[0], "args": words[1:]}


async def import_server(server: Mapping[str, Any], *, deadline_s: float = 30.0) -> Imported:
    """Every tool that a server offers.

    Raises:
        ToolServerError: it cannot be reached, or breaks off.
    """
    tools: list[StoredTool] = []
    async with _connected(server, deadline_s=deadline_s) as client:
        cursor: str | None = None
        while True:
            page = await client.list_tools(cursor=cursor)
            tools += [_stored(tool) for tool in page.tools]
            if (cursor := page.next_cursor) is None:
                break
    return Imported(tools=tuple(tools), usage=ToolUsage(), server=dict(server))


async def call_server(
    server: Mapping[str, Any], name: str, arguments: Mapping[str, Any], *, deadline_s: float = 60.0
) -> dict[str, Any]:
    """One call: `{content: [...], structured, is_error}` as the server answered it, be it that it refused.

    Raises:
        ToolServerError: it cannot be reached, or breaks off.
    """
    async with _connected(server, deadline_s=deadline_s) as client:
        from mcp.shared.exceptions import MCPError  # noqa: PLC0415 - of the extra `mcp`
        from mcp_types import CONNECTION_CLOSED  # noqa: PLC0415 - likewise

        try:
            answer = await client.call_tool(name, dict(arguments))
        except MCPError as exc:
            if exc.code == CONNECTION_CLOSED:
                raise
            return {"content": [{"type": "text", "text": exc.message}], "structured": None, "is_error": True}
    content = [part.model_dump(mode="json", by_alias=True, exclude_none=True) for part in answer.content]
    return {"content": content, "structured": answer.structured_content, "is_error": bool(answer.is_error)}


@asynccontextmanager
async def _connected(server: Mapping[str, Any], *, deadline_s: float) -> AsyncIterator[Any]:
    try:
        from mcp import Client, StdioServerParameters  # noqa: PLC0415 - of the extra `mcp`
    except ModuleNotFoundError as exc:
        raise ToolServerError("MCP servers need the official SDK: pip install 'paretogate[mcp]'") from exc
    target = server["url"] if "url" in server else StdioServerParameters(command=server["command"], args=server["args"])
    try:
        async with asyncio.timeout(deadline_s), Client(target) as client:
            yield client
    except (ToolServerError, asyncio.CancelledError):
        raise
    except Exception as exc:  # the SDK raises groups of whatever went wrong below it
        told = f"the MCP server {_place(server)} does not answer ({_cause(exc)}); is it running?"
        raise ToolServerError(told) from exc


def _place(server: Mapping[str, Any]) -> str:
    """Where it is, for everybody to read: tokens stand in users and queries of addresses, and in arguments."""
    if "url" not in server:
        return str(server["command"])
    address = urlsplit(str(server["url"]))
    return f"{address.scheme}://{address.netloc.rpartition('@')[2]}{address.path}"


def _cause(exc: BaseException) -> str:
    """What went wrong first: the SDK raises groups within groups."""
    while isinstance(exc, BaseExceptionGroup):
        exc = exc.exceptions[0]
    return str(getattr(exc, "message", "")) or type(exc).__name__  # the SDK's own errors say what was answered


def _stored(tool: Any) -> StoredTool:  # noqa: ANN401 - the SDK is not imported up here
    hints = tool.annotations.model_dump(by_alias=True, exclude_none=True) if tool.annotations else {}
    return StoredTool(name=tool.name, description=tool.description or "", schema=tool.input_schema, annotations=hints)
