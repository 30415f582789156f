"""MCP servers through the official SDK: what they offer, and calls of it. A connection lasts for one question.

The SDK is the extra `mcp`; it is imported only when a server is asked. What is kept of a server names the
environment variables that hold its secrets; they are read when a connection is made.
"""

import asyncio
import re
import shlex
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

from gateway.tools.errors import InvalidRegistryError, ToolServerError
from gateway.tools.registries import StoredTool
from predictors.tools import ToolUsage

from .importing import Imported, plain_json

__all__ = ["call_server", "describe_server", "import_server"]

_NO_VARIABLES: Final[Mapping[str, str]] = MappingProxyType({})
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_REFUSALS: Final = (401, 403)
_MOST_TOOLS: Final = 100_000  # that a server may list; more are no longer ranked within a request
_MOST_BYTES: Final = 64 << 20  # of their declarations


def describe_server(
    address: str,
    *,
    api_key_env: str | None = None,
    headers_env: Mapping[str, str] | None = None,
    env: Iterable[str] = (),
) -> dict[str, Any]:
    """How a server is reached: a URL of streamable HTTP, or the command line of a server on standard input.

    Args:
        address: the URL or the command line.
        api_key_env: the variable whose value a URL is sent as `Authorization: Bearer ...`.
        headers_env: further headers, each with the variable that holds its whole value.
        env: the variables that a command is given beside those that every command gets.

    Raises:
        InvalidRegistryError: it is empty, a quotation in it has no end, or a header or a variable cannot be.
    """
    keyed, headers, passed = api_key_env or None, dict(headers_env or {}), sorted({*env} - {""})
    for variable in (*([keyed] if keyed else ()), *headers.values(), *passed):
        if not _VARIABLE.fullmatch(variable):  # not told: it may be the secret itself
            raise InvalidRegistryError("an MCP server's secrets are told by names of environment variables; set one")
    if address.startswith(("http://", "https://")):
        if passed:
            raise InvalidRegistryError("variables are passed on to commands; a URL takes an API key or headers")
        _check_headers((*headers, *(["Authorization"] if keyed else ())))
        told = {"api_key_env": keyed, "headers_env": headers}
        return {"url": address, **{name: value for name, value in told.items() if value}}
    if keyed or headers:
        raise InvalidRegistryError("API keys and headers are for URLs; pass variables on to a command instead")
    try:
        words = shlex.split(address)
    except ValueError as exc:
        raise InvalidRegistryError(f"an MCP server's command is no command line: {str(exc).lower()}") from exc
    if not words:
        raise InvalidRegistryError("an MCP server is a URL, or a command such as 'python server.py'")
    return {"command": words[0], "args": words[1:], **({"env": passed} if passed else {})}


async def import_server(
    server: Mapping[str, Any], *, environ: Mapping[str, str] = _NO_VARIABLES, deadline_s: float = 30.0
) -> Imported:
    """Every tool that a server offers; `environ` holds the variables that the server's description names.

    Raises:
        ToolServerError: it cannot be reached, refuses us, breaks off, needs a variable that is not set, or its list has
            no end.
        InvalidRegistryError: a tool's schema is nested too deep.
    """
    listed: list[Any] = []
    turned: set[str] = set()  # pages
    problem, n_bytes = None, 0
    async with _connected(server, environ, deadline_s=deadline_s, refused=[], is_heard=True) as client:
        cursor: str | None = None
        while problem is None:
            page = await client.list_tools(cursor=cursor)
            listed += page.tools
            n_bytes += sum(len(tool.model_dump_json()) for tool in page.tools)
            if (cursor := page.next_cursor) is None:
                break
            problem = _why_endless(len(listed), n_bytes, is_turned=cursor in turned)
            turned.add(cursor)
    if problem is not None:  # raised in there it would be one of a group
        raise ToolServerError(f"the MCP server {_place(server)} {problem}")
    return Imported(tools=tuple(map(_stored, listed)), usage=ToolUsage(), server=dict(server))


async def call_server(
    server: Mapping[str, Any],
    name: str,
    arguments: Mapping[str, Any],
    *,
    environ: Mapping[str, str] = _NO_VARIABLES,
    deadline_s: float = 60.0,
) -> dict[str, Any]:
    """One call: `{content: [...], structured, is_error}` as the server answered it, be it that it refused.

    Raises:
        ToolServerError: it cannot be reached, refuses us, breaks off, or needs a variable that is not set.
    """
    refused: list[int] = []
    async with _connected(server, environ, deadline_s=deadline_s, refused=refused) as client:
        from mcp.shared.exceptions import MCPError  # noqa: PLC0415 - of the extra `mcp`
        from mcp_types import CONNECTION_CLOSED  # noqa: PLC0415 - likewise

        try:
            answer = await client.call_tool(name, dict(arguments))
        except MCPError as exc:
            if exc.code == CONNECTION_CLOSED or refused:  # some servers ask for a key at calls alone
                raise
            return {"content": [{"type": "text", "text": exc.message}], "structured": None, "is_error": True}
    content = [part.model_dump(mode="json", by_alias=True, exclude_none=True) for part in answer.content]
    return {"content": content, "structured": answer.structured_content, "is_error": bool(answer.is_error)}


@asynccontextmanager
async def _connected(
    server: Mapping[str, Any],
    environ: Mapping[str, str],
    *,
    deadline_s: float,
    refused: list[int],
    is_heard: bool = False,
) -> AsyncIterator[Any]:
    """The SDK's client; statuses by which a server refuses whatever we send it are added to `refused`.

    Where `is_heard`, what a command says on standard error is said on ours.
    """
    try:
        from mcp import Client  # noqa: PLC0415 - of the extra `mcp`
    except ModuleNotFoundError as exc:
        raise ToolServerError("MCP servers need the official SDK: pip install 'paretogate[mcp]'") from exc
    headers, passed = _headers(server, environ), {v: _secret(server, v, environ) for v in server.get("env", ())}
    try:
        async with asyncio.timeout(deadline_s), AsyncExitStack() as stack:
            if "url" in server:
                target = await _open(server["url"], stack, deadline_s=deadline_s, headers=headers, refused=refused)
            else:
                target = _started(server, passed, is_heard=is_heard)
            yield await stack.enter_async_context(Client(target))
    except (ToolServerError, asyncio.CancelledError):
        raise
    except Exception as exc:  # the SDK raises groups of whatever went wrong below it
        told = f"the MCP server {_place(server)} does not answer ({_cause(exc, deadline_s)}); is it running?"
        raise ToolServerError(_refusal(server, refused[0]) if refused else told) from exc


def _started(server: Mapping[str, Any], passed: dict[str, str], *, is_heard: bool) -> Any:  # noqa: ANN401 - as below
    """What the SDK's client starts."""
    from mcp import StdioServerParameters  # noqa: PLC0415 - of the extra `mcp`

    from .bounded_commands import bounded_command  # noqa: PLC0415 - likewise

    told = StdioServerParameters(command=server["command"], args=server["args"], env=passed or None)
    return bounded_command(told, is_heard=is_heard)


async def _open(
    url: str, stack: AsyncExitStack, *, deadline_s: float, headers: dict[str, str], refused: list[int]
) -> Any:  # noqa: ANN401 - the SDK is not imported up here
    """What the SDK's client connects to; of what a server at a URL answers, refusals of the caller are noted."""
    import httpx2  # noqa: PLC0415 - of the extra `mcp`: what its SDK connects with
    from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415 - likewise

    from .bounded_answers import bounded  # noqa: PLC0415 - likewise

    async def note(response: httpx2.Response) -> None:
        if response.request.method == "POST" and response.status_code in _REFUSALS:
            refused.append(response.status_code)

    unpacked = {"accept-encoding": "identity", **headers}
    http = httpx2.AsyncClient(headers=unpacked, timeout=deadline_s, event_hooks={"response": [note, bounded]})
    return streamable_http_client(url, http_client=await stack.enter_async_context(http))


def _headers(server: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, str]:
    found = {name: _secret(server, variable, environ) for name, variable in server.get("headers_env", {}).items()}
    if keyed := server.get("api_key_env"):
        found["Authorization"] = f"Bearer {_secret(server, keyed, environ)}"
    return found


def _secret(server: Mapping[str, Any], variable: str, environ: Mapping[str, str]) -> str:
    value = environ.get(variable, "")
    if "url" in server:
        value = value.strip()  # a line's end behind a key is nobody's intention
    if not value:
        problem = f"needs the environment variable {variable}, which is not set; set it where paretogate runs"
        raise ToolServerError(f"the MCP server {_place(server)} {problem}")
    if "url" in server and not (value.isascii() and value.isprintable()):
        problem = f"cannot be sent what {variable} holds: a header is printable ASCII on one line; set it anew"
        raise ToolServerError(f"the MCP server {_place(server)} {problem}")
    return value


def _check_headers(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if not _HEADER.fullmatch(name):
            raise InvalidRegistryError(f"{name!r:.80} is no name of a header; use letters, digits and -")
        if name.lower() in seen:
            raise InvalidRegistryError(f"the header {name} is named twice; leave out one (an API key is Authorization)")
        seen.add(name.lower())


def _refusal(server: Mapping[str, Any], status: int) -> str:
    named = [*([server["api_key_env"]] if "api_key_env" in server else ()), *server.get("headers_env", {}).values()]
    if named:
        remedy = f"check what {' and '.join(named)} {'hold' if len(named) > 1 else 'holds'}"
    else:
        remedy = "import it with --api-key-env or --header-env, which name the variable that holds its secret"
    return f"the MCP server {_place(server)} refuses us ({status}); {remedy}"


def _place(server: Mapping[str, Any]) -> str:
    """Where it is, for everybody to read: tokens stand in users and queries of addresses, and in arguments."""
    if "url" not in server:
        return str(server["command"])
    address = urlsplit(str(server["url"]))
    return f"{address.scheme}://{address.netloc.rpartition('@')[2]}{address.path}"


def _cause(exc: BaseException, deadline_s: float) -> str:
    """What went wrong first: the SDK raises groups within groups."""
    while isinstance(exc, BaseExceptionGroup):
        exc = exc.exceptions[0]
    if isinstance(exc, TimeoutError):
        return f"not to its end within {deadline_s:g} s"
    return str(getattr(exc, "message", "")) or type(exc).__name__  # the SDK's own errors say what was answered


def _why_endless(n_tools: int, n_bytes: int, *, is_turned: bool) -> str | None:
    """Why the next page of a list is not asked for; None where it is."""
    if is_turned:
        return "names a page of its tools as the next that was read already: its list has no end"
    if n_tools > _MOST_TOOLS or n_bytes > _MOST_BYTES:
        return f"lists more than {_MOST_TOOLS:,} tools, or {_MOST_BYTES >> 20} MB of them; import a part from a file"
    return None


def _stored(tool: Any) -> StoredTool:  # noqa: ANN401 - the SDK is not imported up here
    hints = tool.annotations.model_dump(by_alias=True, exclude_none=True) if tool.annotations else {}
    return StoredTool(
        name=tool.name,
        description=tool.description or "",
        schema=plain_json(tool.input_schema, tool.name),
        annotations=hints,
    )
