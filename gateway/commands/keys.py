"""`paretogate keys`: make, list and revoke API keys. A running gateway notices within a second or so."""

import os
import secrets
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import orjson
import typer

from catalog import ParetoGateError, printable
from gateway.keys import ApiKey, KeyFile, issue
from gateway.settings import load_settings

from .options import AsJson, ConfigFile, working_folder

__all__ = ["commands"]

commands = typer.Typer(no_args_is_help=True, add_completion=False, help="Make, list and revoke API keys.")

_DAY_S = 86_400.0


class NoSuchKeyError(ParetoGateError):
    """No key goes by that id."""


@commands.command()
def create(
    *,
    tenant: Annotated[str, typer.Option(help="Whose key it is; tenants see only what is theirs.")],
    name: Annotated[str, typer.Option(help="What it is for.")] = "",
    allow: Annotated[list[str] | None, typer.Option(help="Models it may use: ids, names or globs, repeatable.")] = None,
    deny: Annotated[list[str] | None, typer.Option(help="Models it may not use, repeatable.")] = None,
    tools_allow: Annotated[list[str] | None, typer.Option(help="Tools it may use: globs over names.")] = None,
    tools_deny: Annotated[list[str] | None, typer.Option(help="Tools it may not use, repeatable.")] = None,
    tools_select: Annotated[str | None, typer.Option(help="auto cuts long lists of tools; off never does.")] = None,
    tools_top_k: Annotated[int | None, typer.Option(help="Tools that a turn adds by ranking, at most.", min=1)] = None,
    tools_max_tokens: Annotated[int | None, typer.Option(help="Of all declarations together, at most.", min=1)] = None,
    max_agent_risk: Annotated[float | None, typer.Option(help="Of models that get risky tools.")] = None,
    requests_per_minute: Annotated[int | None, typer.Option(help="Up to a minute's worth at once.", min=1)] = None,
    tokens_per_minute: Annotated[int | None, typer.Option(help="Of prompts and answers together.", min=1)] = None,
    max_concurrency: Annotated[int | None, typer.Option(help="Requests at a time.", min=1)] = None,
    budget_usd_per_day: Annotated[float | None, typer.Option(help="Dollars per UTC day.")] = None,
    budget_usd_per_month: Annotated[float | None, typer.Option(help="Dollars per UTC month.")] = None,
    prompt_flags: Annotated[bool | None, typer.Option(help="Obey flags in prompts.")] = None,
    privacy: Annotated[str | None, typer.Option(help="off, redact or local.")] = None,
    policy: Annotated[str | None, typer.Option(help="The policy of requests that name none.")] = None,
    admin: Annotated[bool, typer.Option(help="Opens metrics and the dashboard too.")] = False,
    expires_days: Annotated[float | None, typer.Option(help="Good for so many days.", min=0)] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Make a key. It is shown once and never again: only its hash is kept."""
    now_s = time.time()
    key, token = issue(
        random_bytes=secrets.token_bytes,
        now_s=now_s,
        tenant=tenant,
        name=name,
        allow=tuple(allow or ()),
        deny=tuple(deny or ()),
        tools_allow=tuple(tools_allow or ()),
        tools_deny=tuple(tools_deny or ()),
        tools_select=tools_select,
        tools_top_k=tools_top_k,
        tools_max_tokens=tools_max_tokens,
        max_agent_risk=max_agent_risk,
        requests_per_minute=requests_per_minute,
        tokens_per_minute=tokens_per_minute,
        max_concurrency=max_concurrency,
        budget_usd_per_day=budget_usd_per_day,
        budget_usd_per_month=budget_usd_per_month,
        prompt_flags=prompt_flags,
        privacy=privacy,
        policy=policy,
        admin=admin,
        expires_s=None if expires_days is None else now_s + expires_days * _DAY_S,
    )
    _file(config).change(lambda keys: (*keys, key))
    if as_json:
        typer.echo(orjson.dumps({**key.public(), "key": token}).decode())
        return
    typer.echo(f"key {key.key_id} of {tenant}; this is the only time it is shown:", err=True)
    typer.echo(token)


@commands.command(name="list")
def list_keys(*, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Every key, without what opens anything."""
    keys, now_s = _file(config).read(), time.time()
    if as_json:
        typer.echo(orjson.dumps([{**key.public(), "problem": key.problem(now_s)} for key in keys]).decode())
        return
    for key in keys:
        problem = key.problem(now_s) or "is good"
        typer.echo(printable(f"{key.key_id}  {key.tenant:<20} {key.name:<20} {problem}{_limits(key)}"))
    if not keys:
        typer.echo("no keys; `paretogate keys create --tenant NAME` makes one", err=True)


@commands.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="As `keys list` shows it.")],
    *,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Close a key for good; its record stays, so that the journal's key ids keep their meaning."""
    now_s = time.time()

    def edit(keys: tuple[ApiKey, ...]) -> tuple[ApiKey, ...]:
        if all(key.key_id != key_id for key in keys):
            raise NoSuchKeyError(f"no key is called {key_id!r}; `paretogate keys list` shows them")
        return tuple(replace(k, revoked_s=k.revoked_s or now_s) if k.key_id == key_id else k for k in keys)

    _file(config).change(edit)
    typer.echo(f"revoked {key_id}", err=True)
    if as_json:
        typer.echo(orjson.dumps({"key_id": key_id, "revoked": True}).decode())


def _file(config: Path | None) -> KeyFile:
    return KeyFile(load_settings(config=config, environ=os.environ, folder=working_folder()).keys_path)


def _limits(key: ApiKey) -> str:
    quota = key.quota
    told = [f"{name}={value:g}" for name in quota.__slots__ if (value := getattr(quota, name)) is not None]
    return f"  {', '.join(told + ['admin'] * key.admin)}" if told or key.admin else ""
