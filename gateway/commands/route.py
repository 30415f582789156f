"""`paretogate route` and `explain`: a decision in this process, without a server and without asking any model."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import orjson
import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from catalog import Backend, Catalog, PoolEntry, printable
from gateway.errors import InvalidRequestError
from gateway.settings import Settings, load_settings
from gateway.startup import find_backends, open_catalog, planned_embedded
from predictors import read_query
from router import Decision, InvalidRoutingError, RoutingOptions, read_options
from router import explain as explanation_of

from .options import AsJson, ConfigFile, PolicyName, PoolGlobs, Requirements, console, working_folder

__all__ = ["decide", "explain", "route"]

Prompt = Annotated[str, typer.Argument(help="The prompt to decide about.")]
Tradeoff = Annotated[
    float | None, typer.Option("--tradeoff", "-t", min=0, max=10, help="0: quality only, 10: cost only.")
]

_SHOWN = 12  # candidates in the short table; the rest is in `explain` and in --json


def route(
    prompt: Prompt,
    *,
    pool: PoolGlobs = None,
    policy: PolicyName = None,
    require: Requirements = None,
    tradeoff: Tradeoff = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Decide which model should answer a prompt, without asking it."""
    explained = decide(prompt, pool=pool, policy=policy, require=require, tradeoff=tradeoff, config=config)
    _tell(explained, _show_front, as_json=as_json)


def explain(
    prompt: Prompt,
    *,
    pool: PoolGlobs = None,
    policy: PolicyName = None,
    require: Requirements = None,
    tradeoff: Tradeoff = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """The same decision with every candidate, why it was rejected, and what relaxing a constraint would gain."""
    explained = decide(prompt, pool=pool, policy=policy, require=require, tradeoff=tradeoff, config=config)
    _tell(explained, _show_all, as_json=as_json)


def decide(
    prompt: str,
    *,
    pool: Sequence[str] | None,
    policy: str | None,
    require: Sequence[str] | None,
    tradeoff: float | None,
    config: Path | None,
) -> dict[str, Any]:
    """The explanation of one decision, and which of the models on the front have no backend here.

    Raises:
        ParetoGateError: a wish is malformed, no model qualifies, or there is nothing to choose among.
    """
    from gateway.parts import Binder  # noqa: PLC0415 - help and usage errors need not load it

    settings = load_settings(config=config, environ=os.environ, folder=working_folder())
    catalog, backends = _candidates(settings, pool)
    serving = Binder(settings, catalog)(backends, also=tuple(pool or ()))
    if not len(serving.pool):
        raise InvalidRequestError(_nothing_to_choose_among(pool))
    body: dict[str, object] = {"model": "auto", "messages": [{"role": "user", "content": prompt}]}
    options = _options(body, policy=policy, require=require, tradeoff=tradeoff, policies=serving.policies)
    decision = serving.router.decide(read_query(body), options, rng=np.random.default_rng(0))
    return {
        **explanation_of(decision, options),
        "reason": decision.reason,
        "without_backend": _without_backend(decision),
        "versions": dict(serving.versions),
    }


def _tell(explained: Mapping[str, Any], show: Callable[[Mapping[str, Any]], None], *, as_json: bool) -> None:
    if as_json:
        typer.echo(orjson.dumps(explained).decode())
        return
    _say_what_cannot_be_called(explained)
    show(explained)


def _show_front(explained: Mapping[str, Any]) -> None:
    on_front = [c for c in _by_utility(explained) if c["on_front"]]
    title = f"Pareto front of {', '.join(explained['objectives'])}"
    console().print(_table(on_front[:_SHOWN], chosen=explained["chosen"], title=title))
    typer.echo(printable(f"{explained['chosen']}  ({explained['policy']}: {explained['reason']})"))


def _show_all(explained: Mapping[str, Any]) -> None:
    screen = console()
    screen.print(_table(_by_utility(explained), chosen=explained["chosen"], title="Candidates", long=True))
    for price in explained.get("shadow_prices") or ():
        screen.print(f"relaxing {price['constraint']} to {_short(price['relax_to'])}: {_gain(price['gain'])}")
    versions = ", ".join(f"{name} {version}" for name, version in explained["versions"].items())
    typer.echo(printable(f"{explained['chosen']}  ({explained['policy']}: {explained['reason']}; {versions})"))


def _candidates(settings: Settings, pool: Sequence[str] | None) -> tuple[Catalog, tuple[Backend, ...]]:
    """The catalog, and the backends that may take part: all of them, or those that serve a model of the pool."""
    catalog = open_catalog(settings)
    embedded = planned_embedded(settings, catalog)
    found = find_backends(settings, environ=os.environ, catalog=catalog, embedded=embedded)
    if not pool:
        return found.catalog, found.backends
    wanted = {profile.id for profile in found.catalog.match(tuple(pool))}
    return found.catalog, tuple(backend for backend in found.backends if backend.profile_id in wanted)


def _options(
    body: Mapping[str, object],
    *,
    policy: str | None,
    require: Sequence[str] | None,
    tradeoff: float | None,
    policies: frozenset[str],
) -> RoutingOptions:
    """Read by the reader of requests, so that the command line means what a request means."""
    routing: dict[str, object] = {"explore": False}
    if policy is not None:
        routing["policy"] = policy
    if tradeoff is not None:
        routing["cost_quality_tradeoff"] = tradeoff
    headers = {"x-paretogate-require": "; ".join(require)} if require else {}
    wishes = {**body, "routing": routing}
    try:
        return read_options(model="auto", body=wishes, headers=headers, policies=policies).options
    except InvalidRoutingError as exc:
        field = exc.field.replace("x-paretogate-require", "--require", 1)
        raise InvalidRoutingError(field=field, problem=exc.problem) from exc


def _nothing_to_choose_among(pool: Sequence[str] | None) -> str:
    if pool:
        return f"--pool {' '.join(pool)} matches no model; `paretogate catalog list` shows what there is"
    return "no backend was found, so there is nothing to choose among; `--pool all` decides among the whole catalog"


def _without_backend(decision: Decision) -> list[str]:
    entries: list[PoolEntry] = [decision.pool.entries[position] for position in decision.front]
    return sorted({entry.profile.id for entry in entries if entry.backend is None})


def _say_what_cannot_be_called(explained: Mapping[str, Any]) -> None:
    missing = explained["without_backend"]
    if missing:
        shown = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        typer.echo(
            f"note: {len(missing)} models of the front have no backend here ({shown}); a decision only", err=True
        )


def _by_utility(explained: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    def rank(candidate: Mapping[str, Any]) -> tuple[bool, float]:
        utility = candidate.get("utility")
        return (utility is None, -(utility or 0.0))

    return sorted(explained["candidates"], key=rank)


def _table(candidates: Sequence[Mapping[str, Any]], *, chosen: str, title: str, long: bool = False) -> Table:
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), title_justify="left")
    table.add_column("")
    table.add_column("model", overflow="fold")
    for column in ("quality", "cost $", "first s", "whole s"):
        table.add_column(column, justify="right", no_wrap=True)
    if long:
        table.add_column("utility", justify="right", no_wrap=True)
        table.add_column("rejected by", overflow="fold")
    marked = False
    for candidate in candidates:
        is_chosen = not marked and candidate["id"] == chosen and candidate["eligible"]
        marked = marked or is_chosen
        row = _row(candidate, mark="→" if is_chosen else "•" if candidate["on_front"] else "")
        if long:
            row += [_short(candidate["utility"]), ", ".join(_rejection(r) for r in candidate["rejected_by"])]
        table.add_row(*row, style="bold" if is_chosen else None)
    table.caption = "→ chosen  • on the front  ° no backend here"
    return table


def _row(candidate: Mapping[str, Any], *, mark: str) -> list[str]:
    quality = candidate["quality"]
    return [
        mark,
        escape(candidate["id"]) + ("" if candidate["backend"] else "°"),
        f"{quality['mean']:.2f} [dim]{quality['lower']:.2f}..{quality['upper']:.2f}[/dim]",
        _short(_mean(candidate["cost_usd"])),
        _short(_mean(candidate["ttft_s"])),
        _short(_mean(candidate["latency_s"])),
    ]


def _rejection(rejection: Mapping[str, Any]) -> str:
    value = "unknown" if rejection.get("value") is None else _short(rejection["value"])
    return f"{rejection['constraint']} ({value})"


def _gain(gain: Mapping[str, Any]) -> str:
    relative = gain.get("relative")
    share = "" if relative is None else f" ({relative:+.0%})"
    return f"{gain['objective']} {_short(gain.get('absolute'))}{share}"


def _mean(figure: object) -> object:
    return figure.get("mean") if isinstance(figure, Mapping) else figure


def _short(value: object) -> str:
    if value is None:
        return "?"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
