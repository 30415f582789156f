"""`/mcp`: our own MCP server, by the official SDK, with two tools: find tools in the registries, and call those found.

Stateless streamable HTTP, so that any replica can answer. Mounted where the extra `mcp` is installed.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from functools import wraps
from importlib.util import find_spec
from typing import Any

import orjson
import structlog

from catalog import ParetoGateError
from gateway.errors import ForbiddenError, InvalidRequestError, UnavailableError
from gateway.governance.governor import Governor
from gateway.keys import ApiKey
from gateway.wire.asgi import (
    Receive,
    Scope,
    Send,
    cancelled_by_disconnect,
    read_body,
    read_headers,
    replaying,
)
from gateway.wire.body import read_json

from .desk import ToolDesk
from .errors import DamagedRegistryError, UnknownRegistryError
from .importers.servers import call_server
from .offered.wishes import wishes_of
from .selection.found import ToolsFound

__all__ = ["McpEndpoint"]

log = structlog.get_logger(__name__)

_MOST_FOUND = 64  # as many as a ranking holds
_SELECTION = "paretogate/tool-selection"  # in a result's `_meta`: NAME@VERSION -> why it may be better later
_CALLER: ContextVar[ApiKey | None] = ContextVar("caller", default=None)
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]


class McpEndpoint:
    """An ASGI door, for as long as `running`."""

    def __init__(
        self, desk: ToolDesk, governor: Governor, *, host: str, max_body_bytes: int, environ: Mapping[str, str]
    ) -> None:
        self._desk, self._governor, self._host = desk, governor, host
        self._environ = environ  # the variables that stored servers name
        self._max_body_bytes = max_body_bytes
        self._app: Asgi | None = None
        self._serving: asyncio.Task[None] | None = None
        self._ready, self._stop = asyncio.Event(), asyncio.Event()

    @staticmethod
    def is_available() -> bool:
        """Whether the SDK is installed."""
        return find_spec("mcp") is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request. A client that leaves ends the call that it made.

        Raises:
            UnauthenticatedError: it needs a key.
            RateLimitedError: the key's minute has no request left.
            BodyTooLargeError, SlowRequestError, InvalidRequestError, ClientGoneError: as at every other door.
        """
        key = self._governor.caller(read_headers(scope))
        await self._governor.consult(key)
        body = await read_body(scope, receive, limit_bytes=self._max_body_bytes)
        read_json(body)  # the SDK would take in any size, and its JSON reader falls over what is nested deep
        receive = replaying(body, receive)
        if self._serving is None:
            self._serving = asyncio.create_task(self._serve())
        await self._ready.wait()
        if self._app is None:
            raise UnavailableError("the MCP endpoint could not be started")
        token = _CALLER.set(key)
        try:
            async with cancelled_by_disconnect(scope, receive):
                await self._app(scope, receive, send)
        finally:
            _CALLER.reset(token)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Ends what the first request starts: the SDK takes half a second to load, which not every gateway needs."""
        yield
        if self._serving is not None:
            self._stop.set()
            await self._serving

    async def _serve(self) -> None:
        """Hold the SDK's task group open, in one task from beginning to end."""
        try:
            app = await asyncio.to_thread(self._make)
            async with app.router.lifespan_context(app):
                self._app = app
                self._ready.set()
                await self._stop.wait()
        finally:
            self._app = None
            self._ready.set()

    def _make(self) -> Any:  # noqa: ANN401 - the SDK is not imported up here
        from mcp.server import MCPServer  # noqa: PLC0415 - of the extra `mcp`

        with _logs_as_they_were():
            server = MCPServer("paretogate")
        for name, tool in (("search_tools", self._search_tools), ("call_tool", self._call_tool)):
            server.add_tool(_telling(tool), name=name, description=tool.__doc__)
        return server.streamable_http_app(stateless_http=True, json_response=True, host=self._host)

    async def _search_tools(self, query: str, registry: str = "", top_k: int = 5) -> list[dict[str, Any]]:
        """Find the tools that serve a request: names, descriptions, parameters, and the registry to call them in."""
        most = max(1, min(_MOST_FOUND, top_k))
        labels = [registry] if registry else [self._desk.settings.set or "", *self._desk.store.names()]
        found: list[ToolsFound] = []
        for label in dict.fromkeys(label for label in labels if label):
            try:
                found.append(await self._desk.search(query, label=label, key=_CALLER.get(), top_k=most))
            except (DamagedRegistryError, UnknownRegistryError):
                if registry:
                    raise
                log.warning("tool_registry_skipped", registry=label)  # the others are still worth searching
        tools = sorted((tool for each in found for tool in each.tools), key=lambda tool: -tool["score"])[:most]
        told = {each.searched: each.selection for each in found if each.selection is not None}
        return tools if not told else _with_selection(tools, told)

    async def _call_tool(self, registry: str, name: str, arguments: dict[str, Any]) -> Any:  # noqa: ANN401 - the SDK's
        """Call a tool that `search_tools` found, on the MCP server that its registry was imported from."""
        key = _CALLER.get()
        if not wishes_of(self._desk.settings, key, None).may_use(name):
            raise ForbiddenError(f"this key may not use the tool {name!r:.80}", param="name")
        stored = await self._desk.load(registry, key=key)
        if stored.server is None or name not in stored.by_name:
            raise InvalidRequestError(f"{stored.label} has no tool {name!r:.80} that can be called here", param="name")
        from mcp_types import CallToolResult  # noqa: PLC0415 - of the extra `mcp`

        answer = await call_server(stored.server, name, arguments, environ=self._environ)
        return CallToolResult.model_validate(
            {
                "content": answer["content"],
                "structuredContent": answer["structured"],
                "isError": answer["is_error"],
            }
        )


def _with_selection(tools: list[dict[str, Any]], told: Mapping[str | None, str]) -> Any:  # noqa: ANN401 - the SDK's
    """What the SDK makes of these tools, and beside it which registries another version's index served."""
    from mcp_types import CallToolResult  # noqa: PLC0415 - of the extra `mcp`

    texts = [orjson.dumps(tool, option=orjson.OPT_INDENT_2).decode() for tool in tools]
    return CallToolResult.model_validate(
        {
            "content": [{"type": "text", "text": text} for text in texts],
            "structuredContent": {"result": tools},
            "_meta": {_SELECTION: told},
        }
    )


def _telling(tool: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """The same tool, whose refusals are told to whoever called it: the SDK keeps to itself what it does not know."""
    from mcp.server.mcpserver.exceptions import ToolError  # noqa: PLC0415 - of the extra `mcp`

    @wraps(tool)
    async def telling(*given: object, **named: object) -> Any:  # noqa: ANN401 - whatever the tool finds
        try:
            return await tool(*given, **named)
        except ParetoGateError as exc:
            raise ToolError(str(exc)) from exc

    return telling


@contextmanager
def _logs_as_they_were() -> Iterator[None]:
    """The SDK takes over the root logger when it is made: every library's chatter would be printed, addresses too."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
