"""`paretogate tools import|list|show`: registries of tools under the state directory."""

import asyncio
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from catalog import ParetoGateError, printable
from gateway.settings import load_settings
from gateway.tools import RegistryStore

from .options import AsJson, ConfigFile, working_folder

__all__ = ["commands"]

commands = typer.Typer(no_args_is_help=True, add_completion=False, help="Keep registries of tools.")


class NoSourceError(ParetoGateError):
    """Neither or both of a file and a server were named."""


@commands.command(name="import")
def import_tools(
    source: Annotated[
        Path | None, typer.Argument(help="JSON or YAML declarations, an OpenAPI document, or a Parquet table.")
    ] = None,
    *,
    name: Annotated[str, typer.Option(help="The registry's name.")],
    mcp: Annotated[
        str | None, typer.Option(help="An MCP server instead: its URL, or the command that starts it.")
    ] = None,
    api_key_env: Annotated[
        str | None, typer.Option(help="The environment variable with the key of the server's URL, sent as a bearer's.")
    ] = None,
    header_env: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HEADER=VARIABLE", help="Another header and the variable that holds its value; repeatable."
        ),
    ] = None,
    env: Annotated[
        list[str] | None, typer.Option(help="An environment variable to pass on to the server's command; repeatable.")
    ] = None,
    usage: Annotated[Path | None, typer.Option(help="Past requests (Parquet: query, tool_ids).")] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Keep the tools of a source as the next version of a registry; the same tools again make no new version."""
    from gateway.tools.importers.importing import read_file  # noqa: PLC0415 - only here
    from gateway.tools.importers.servers import describe_server, import_server  # noqa: PLC0415

    if (source is None) == (mcp is None):
        raise NoSourceError("name either a file or an MCP server (--mcp)")
    if mcp is None and (api_key_env or header_env or env):
        raise NoSourceError("--api-key-env, --header-env and --env are about an MCP server; name it by --mcp")
    if mcp is not None:
        headers = dict(_header(given) for given in header_env or ())
        server = describe_server(mcp, api_key_env=api_key_env, headers_env=headers, env=env or ())
        if api_key_env is None and not header_env and not env:
            server = _as_before(server, name, _store(config))
        found = asyncio.run(import_server(server, environ=os.environ))
    elif source is not None:
        found = read_file(source, usage=usage)
    stored = _store(config).save(
        name,
        found.tools,
        source=source.name if source is not None else "mcp",
        now_s=time.time(),
        usage=found.usage,
        server=found.server,
    )
    typer.echo(orjson.dumps(stored.summary()).decode() if as_json else f"{stored.label}: {len(stored.tools)} tools")


@commands.command(name="list")
def list_registries(*, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Every registry in its newest version."""
    newest = _store(config).summaries()
    if as_json:
        typer.echo(orjson.dumps(newest).decode())
        return
    for stored in newest:
        label = f"{stored['name']}@{stored['version']}"
        if "damaged" in stored:
            typer.echo(printable(f"{label:<40} {stored['damaged']}"))
            continue
        counted = f"{stored['tools']:>6} tools {stored['usage']:>6} requests"
        typer.echo(printable(f"{label:<40} {counted}  {stored['source']}"))
    if not newest:
        typer.echo("no registries; `paretogate tools import FILE --name NAME` makes one", err=True)


@commands.command()
def show(
    registry: Annotated[str, typer.Argument(help="NAME or NAME@VERSION.")],
    *,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """The tools of a registry."""
    stored = _store(config).load(registry)
    if as_json:
        tools = [
            {"name": t.name, "description": t.description, "schema": t.schema, "risk": t.risk} for t in stored.tools
        ]
        typer.echo(orjson.dumps({**stored.summary(), "tools": tools}).decode())
        return
    for tool in stored.tools:
        typer.echo(printable(f"{tool.name:<40} {tool.description.partition(chr(10))[0][:100]}"))


def _header(given: str) -> tuple[str, str]:
    header, _, variable = given.partition("=")
    if not header or not variable:  # not told: it may hold a secret
        raise NoSourceError("--header-env takes HEADER=VARIABLE, the name of an environment variable, not its value")
    return header, variable


def _as_before(server: Mapping[str, Any], name: str, store: RegistryStore) -> dict[str, Any]:
    """The server with the variables that its registry names, where it is the same one."""
    before = store.whole(name) if name in store.names() else None
    known = before.server if before is not None else None
    is_same = known is not None and all(known.get(key) == value for key, value in server.items())
    return dict(known if known is not None and is_same else server)


def _store(config: Path | None) -> RegistryStore:
    settings = load_settings(config=config, environ=os.environ, folder=working_folder())
    return RegistryStore(settings.tools_dir / "registries")
