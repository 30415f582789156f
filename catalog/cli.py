"""`paretogate catalog`: look at models, compare them, check files of facts and renew the price list.

Results go to stdout, talk to stderr. What this project raises on purpose is printed by the command line's own main.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .compiled import SHIPPED, is_compiled
from .errors import InvalidMeasurementError, UnknownModelError
from .finding import Finding
from .importers.litellm_prices import PriceMap, read_price_map
from .importers.overlay import read_overlay
from .profiles.profile import ModelProfile
from .registry import Catalog
from .updates.writing import write_compiled

if TYPE_CHECKING:
    from rich.table import Table

    from .derived import SizeLaw

__all__ = ["commands"]

commands = typer.Typer(help="List, show, compare and import models.", no_args_is_help=True, add_completion=False)

_Json = Annotated[bool, typer.Option("--json", help="Machine-readable.")]
_File = Annotated[Path | None, typer.Option("--catalog", help="A compiled catalog; default: the shipped one.")]
_Overlays = Annotated[list[Path] | None, typer.Option("--overlay", help="TOML or YAML file of profiles; repeatable.")]
_PAGE_WIDTH = 160  # of tables that go to a file or a pipe


@commands.command("list")
def list_models(
    patterns: Annotated[list[str] | None, typer.Argument(help="Ids or globs: 'gpt-5*', 'qwen/*'.")] = None,
    *,
    capability: Annotated[list[str] | None, typer.Option(help="Only models that can do this; repeatable.")] = None,
    open_weights: Annotated[bool, typer.Option("--open-weights", help="Only models whose weights are public.")] = False,
    max_params_b: Annotated[float | None, typer.Option(help="At most this many billion parameters.")] = None,
    max_price: Annotated[float | None, typer.Option(help="At most this many USD per million output tokens.")] = None,
    released_after: Annotated[str | None, typer.Option(help="ISO date.")] = None,
    sort: Annotated[str, typer.Option(help="id, ability, price, released, params or context.")] = "id",
    limit: Annotated[int, typer.Option(min=1, help="Show at most this many.")] = 60,
    records: Annotated[
        Path | None, typer.Option(help="List hub records that `import` wrote, by part of a name.")
    ] = None,
    catalog: _File = None,
    overlay: _Overlays = None,
    as_json: _Json = False,
) -> None:
    """List models, those that pass every filter. A model whose fact is unknown does not pass a filter on it."""
    if sort not in _ORDERS:
        raise typer.BadParameter(f"choose from {', '.join(_ORDERS)}", param_hint="--sort")
    after = _iso_date(released_after, "--released-after")
    if records is not None:
        _list_records(records, patterns or [], max_params_b=max_params_b, after=after, limit=limit, as_json=as_json)
        return
    known = _open(catalog, overlay)
    found = [
        profile
        for profile in known.match(patterns or ["all"], chat_only=False)
        if set(capability or ()) <= profile.capabilities
        and (not open_weights or profile.open_weights is True)
        and _at_most(profile.params_total_b, max_params_b)
        and _at_most(profile.price.output_usd_per_mtok if profile.price else None, max_price)
        and (after is None or (profile.released is not None and profile.released > after))
    ]
    found.sort(key=_ORDERS[sort])
    from .profiles.facts import facts  # noqa: PLC0415
    from .tables import model_list  # noqa: PLC0415 - help must not wait for rich

    if as_json:
        typer.echo(json.dumps([facts(profile) for profile in found[:limit]]))
        return
    if found:
        _print(model_list(found[:limit], width=_width()))
    typer.echo(f"{min(limit, len(found))} of {len(found)} found, {len(known)} in all ({known.version})", err=True)


def _list_records(
    path: Path, names: Sequence[str], *, max_params_b: float | None, after: date | None, limit: int, as_json: bool
) -> None:
    from .importers.hub_records import find_records  # noqa: PLC0415
    from .tables import record_list  # noqa: PLC0415

    if len(names) > 1:
        raise typer.BadParameter("give one part of a name to look for in hub records", param_hint="PATTERNS")
    found = find_records(
        path, name=names[0] if names else None, max_params_b=max_params_b, released_after=after, limit=limit
    )
    if as_json:
        typer.echo(json.dumps(found, default=str))
        return
    _print(record_list(found))


@commands.command()
def show(
    model: str,
    *,
    as_of: Annotated[str | None, typer.Option(help="ISO date for staleness; default: the newest release.")] = None,
    catalog: _File = None,
    overlay: _Overlays = None,
    as_json: _Json = False,
) -> None:
    """Show every known fact of a model with its source, what follows from them, and what providers ask for it."""
    from .derived import derived_facts, plateau_advice  # noqa: PLC0415
    from .profiles.facts import facts, offer_facts  # noqa: PLC0415
    from .tables import derived_sheet, fact_sheet, measured_sheet, offer_list  # noqa: PLC0415

    known = _open(catalog, overlay)
    profile = known.resolve(model)
    offers = known.offers(profile.id)
    everybody = tuple(known)
    day = _iso_date(as_of, "--as-of") or max((p.released for p in everybody if p.released), default=None)
    derived = derived_facts(profile, as_of=day, law=_size_law(everybody))
    advice = plateau_advice(profile, everybody)
    if as_json:
        told = {name: f"{s.source} ({s.trust.name.lower()})" for name, s in profile.provenance.items()}
        more = {"derived": [asdict(fact) for fact in derived], "advice": advice}
        typer.echo(json.dumps(facts(profile) | {"sources": told, "offers": [offer_facts(o) for o in offers]} | more))
        return
    _print(fact_sheet(profile))
    if profile.measured:
        _print(measured_sheet(list(profile.measured.values())))
    if derived:
        _print(derived_sheet(derived))
    if advice:
        typer.echo(f"Size: {advice}.")
    if offers:
        _print(offer_list(offers))


def _size_law(profiles: Sequence[ModelProfile]) -> "SizeLaw | None":
    from .derived import SizeLaw  # noqa: PLC0415

    try:
        return SizeLaw.fit(profiles)
    except InvalidMeasurementError:
        return None  # too few measured models in a catalog of one's own


@commands.command()
def compare(models: list[str], *, catalog: _File = None, overlay: _Overlays = None, as_json: _Json = False) -> None:
    """Show models side by side."""
    from .profiles.facts import facts, source_facts  # noqa: PLC0415
    from .tables import comparison  # noqa: PLC0415

    known = _open(catalog, overlay)
    profiles = [known.resolve(model) for model in models]
    if as_json:
        told = [
            facts(p) | {"sources": source_facts(p), "derived": [asdict(fact) for fact in p.derived.values()]}
            for p in profiles
        ]
        typer.echo(json.dumps(told))
        return
    _print(comparison(profiles))


@commands.command()
def validate(
    file: Annotated[Path, typer.Argument(help="The file; `shipped` is the catalog that ships.")],
    *,
    catalog: _File = None,
    as_json: _Json = False,
) -> None:
    """Check a file of facts: an overlay in TOML or YAML, a price map or a compiled catalog in JSON.

    Of an overlay and of a catalog, facts of a model that cannot both be true are told too; an overlay is judged as it
    stands above the catalog. Exits with 1 where anything is wrong.
    """
    from .contradictions import contradictions  # noqa: PLC0415 - the other commands need no names' dates

    if str(file) == "shipped" or is_compiled(file):
        known = _open(None if str(file) == "shipped" else file, None)
        found = contradictions(known, file=file.name)
        _tell_findings(found, of=f"{len(known)} models", kind="contradictions", as_json=as_json)
        return
    if file.suffix != ".json":
        told = read_overlay(file)
        for profile in told:
            typer.echo(f"{profile.id}: {len(profile.provenance)} facts", err=as_json)
        merged = _open(catalog, [file])
        found = contradictions([merged[profile.id] for profile in told], file=file.name)
        _tell_findings(found, of=f"{len(told)} models", kind="contradictions", as_json=as_json)
        return
    prices = read_price_map(file)
    good = f"{sum(map(len, prices.offers.values()))} good offers of {len(prices.offers)} models"
    _tell_findings(prices.findings, of=good, kind="left out", as_json=as_json)


def _tell_findings(found: Sequence[Finding], *, of: str, kind: str, as_json: bool) -> None:
    """Each, and how many there are of how much; any is a failure."""
    if as_json:
        typer.echo(json.dumps({"findings": [asdict(finding) for finding in found]}))
    else:
        for finding in found:
            typer.echo(str(finding))
    typer.echo(f"{of}, {len(found)} {kind}", err=True)
    if found:
        raise typer.Exit(1)


@commands.command("import")
def import_file(
    source: Annotated[
        Path, typer.Argument(help="An overlay, a leaderboard's table, or a folder of models.dev or model cards.")
    ],
    *,
    out: Annotated[Path, typer.Option(help="Where the result is written.")],
    mapping: Annotated[Path | None, typer.Option(help="TOML that says what a leaderboard's columns mean.")] = None,
    catalog: _File = None,
    as_json: _Json = False,
) -> None:
    """Merge facts into a compiled catalog, and write it: an overlay, a table of scores, or a folder of many files.

    With --mapping, a table in CSV, JSON or YAML is a leaderboard: its models are placed on the catalog's scale of
    ability. JSON lines of hub records become a Parquet file, which `list --records` filters on disk. What cannot be
    read is told on stderr and left out; a name whose weights changed silently is told too.
    """
    if source.suffix == ".jsonl":
        from .importers.hub_records import import_records  # noqa: PLC0415

        read = import_records(source, out)
        typer.echo(f"{read.imported} records in {out}, {read.left_out} lines left out", err=True)
        return
    from .updates.importing import import_profiles  # noqa: PLC0415
    from .updates.sources import read_source  # noqa: PLC0415

    known = _open(catalog, None)
    told = read_source(source, known=known, mapping=mapping)
    imported = import_profiles(known, told.profiles, source=source.name, unevaluated=told.unevaluated)
    merged = imported.catalog
    offers = {model_id: (*known.offers(model_id), *told.offers.get(model_id, ())) for model_id in merged.ids}
    write_compiled(out, merged.pack(offers=offers))
    for finding in told.findings:
        typer.echo(f"left out: {finding}", err=True)
    for finding in imported.findings:
        typer.echo(f"warning: {finding}", err=True)
    typer.echo(f"{len(told.profiles)} profiles merged; {len(merged)} models in {out}", err=True)
    if as_json:
        found = {"left_out": told.findings, "warnings": imported.findings}
        told_plain = {name: [asdict(finding) for finding in rows] for name, rows in found.items()}
        typer.echo(json.dumps({"merged": len(told.profiles), "models": len(merged), **told_plain}))


@commands.command()
def refresh(
    *,
    prices: Annotated[Path | None, typer.Option(help="A litellm price map; default: the installed litellm's.")] = None,
    url: Annotated[str | None, typer.Option(help="Where to download a litellm price map from, instead.")] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds that the download may take.")] = 30.0,
    out: Annotated[Path, typer.Option(help="Where the compiled catalog is written.")] = SHIPPED,
    catalog: _File = None,
    as_json: _Json = False,
) -> None:
    """Renew offers and list prices from litellm's price map; everything else stays as it is.

    A download that fails, is no price map or names no price replaces nothing.
    """
    if prices is not None and url is not None:
        raise typer.BadParameter("give a file with --prices or an address with --url, not both", param_hint="--url")
    from .updates.refresh import refreshed  # noqa: PLC0415 - the other commands need no price map

    known = _open(catalog, None)
    told = read_price_map(prices) if url is None else _downloaded(url, timeout)
    profiles, offers = refreshed(known, told)
    changed = sum(p.id in known and known[p.id].price != p.price for p in profiles)
    write_compiled(out, known.pack(profiles, offers=offers))
    for finding in told.findings:
        typer.echo(f"left out: {finding}", err=True)
    typer.echo(f"{changed} list prices changed, {len(profiles) - len(known)} models new; written to {out}", err=True)
    if as_json:
        left_out = [asdict(finding) for finding in told.findings]
        typer.echo(json.dumps({"changed": changed, "new": len(profiles) - len(known), "left_out": left_out}))


@commands.command()
def runtime(
    calls: Annotated[Path, typer.Argument(help="What `paretogate journal export` writes, or a table of outcomes.")],
    *,
    as_json: _Json = False,
) -> None:
    """Show how fast each backend is when nobody else is in the way, and how much the usual call waits beyond that."""
    from .efficiency.denoised_runtime import fit_denoised_runtime  # noqa: PLC0415
    from .importers.call_times import read_call_times  # noqa: PLC0415
    from .tables import runtime_list  # noqa: PLC0415

    fitted = {}
    for name, told in read_call_times(calls).items():
        try:
            fitted[name] = fit_denoised_runtime(
                prompt_tokens=told.prompt_tokens, output_tokens=told.output_tokens, latency_s=told.latency_s
            )
        except InvalidMeasurementError as exc:
            typer.echo(f"left out: {name}: {exc}", err=True)
    if as_json:
        typer.echo(json.dumps({name: asdict(found) for name, found in fitted.items()}))
        return
    if fitted:
        _print(runtime_list(fitted))


@commands.command()
def risk(
    results: Annotated[Path, typer.Argument(help="A red team's results: answers, runs of agents, or groups.")],
    *,
    out: Annotated[Path, typer.Option(help="The overlay to write; name it in catalog.overlays.")],
    catalog: _File = None,
    as_json: _Json = False,
) -> None:
    """Turn a red team's results into facts: tail of the risk, harm, risk of agents, bias, each with its error.

    Columns: model, prompt, dimension, harm (0 to 1; perhaps several judges); or model, scenario, misaligned (0 or 1),
    perhaps pressure and names; or model, group, score. Models go by any name that the catalog knows; any other
    owner/name becomes a model of its own.
    """
    from .importers.red_team import read_red_team, red_team_overlay  # noqa: PLC0415
    from .tables import measured_sheet  # noqa: PLC0415

    known = _open(catalog, None)
    told = read_red_team(results, today=date.today())  # noqa: DTZ011 - the day here is meant
    found = {_known_or_new(known, model): measurements for model, measurements in told.items()}
    out.write_text(red_team_overlay(found), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps({name: [asdict(m) for m in rows] for name, rows in found.items()}, default=str))
        return
    for model_id, measurements in found.items():
        _print(measured_sheet(measurements, title=model_id))


@commands.command()
def diff(
    old: Annotated[str, typer.Argument(help="A compiled catalog, or with --outcomes a model as the file names it.")],
    new: Annotated[str, typer.Argument(help="The other one; `shipped` is the catalog that ships.")],
    *,
    outcomes: Annotated[Path | None, typer.Option(help="Outcomes of both versions: report flips per task.")] = None,
    max_nfr: Annotated[float, typer.Option(min=0, max=1, help="Fail above this share of negative flips.")] = 1.0,
    as_json: _Json = False,
) -> None:
    """Show what differs between two catalogs; with --outcomes, what an update of a model breaks.

    With --outcomes it exits with 1 where the share of prompts that were right and now are wrong exceeds --max-nfr.
    """
    if outcomes is None:
        _diff_catalogs(old, new, as_json=as_json)
        return
    from .capability.compatibility import per_task  # noqa: PLC0415 - only this needs numpy's arrays of outcomes
    from .importers.outcome_scores import read_paired_scores  # noqa: PLC0415
    from .tables import flip_report  # noqa: PLC0415

    paired = read_paired_scores(outcomes, old=old, new=new)
    flips = per_task(paired.old, paired.new, paired.tasks, changed=paired.changed)
    passed = flips[0].negative <= max_nfr
    if as_json:
        rows = [asdict(task) for task in flips]
        typer.echo(json.dumps({"old": old, "new": new, "max_nfr": max_nfr, "passed": passed, "tasks": rows}))
    else:
        _print(flip_report(flips))
    if not passed:
        typer.echo(
            f"refused: {flips[0].negative:.1%} of prompts turned from right to wrong, at most {max_nfr:.1%} may; "
            f"keep {old}",
            err=True,
        )
        raise typer.Exit(1)


def _diff_catalogs(old: str, new: str, *, as_json: bool) -> None:
    from .tables import difference_facts, difference_report  # noqa: PLC0415
    from .updates.difference import differences  # noqa: PLC0415

    found = differences(*(Catalog.load(None if path == "shipped" else Path(path)) for path in (old, new)))
    if as_json:
        typer.echo(json.dumps(difference_facts(found)))
        return
    _print(difference_report(found))
    told = f"{len(found.added)} added, {len(found.removed)} removed, {len(found.changed)} facts changed"
    typer.echo(f"{told}, {len(found.prices)} rates moved, {len(found.silent)} perhaps other weights", err=True)


def _known_or_new(known: Catalog, model: str) -> str:
    """The id of a model of the catalog, or of a new one where the name has an owner."""
    try:
        return known.resolve(model).id
    except UnknownModelError:
        if model.count("/") != 1:
            raise
        return model


def _open(path: Path | None, overlays: list[Path] | None) -> Catalog:
    known = Catalog.load(path)
    for overlay in overlays or ():
        known = known.with_profiles(known.spelled(read_overlay(overlay)))
    return known


def _downloaded(url: str, timeout_s: float) -> PriceMap:
    import httpx  # noqa: PLC0415 - a quarter of a second, for those who download

    from .importers.price_download import download_price_map  # noqa: PLC0415 - as above

    async def ask() -> PriceMap:
        async with httpx.AsyncClient() as client:
            return await download_price_map(client, url, timeout_s=timeout_s)

    return asyncio.run(ask())


def _print(table: "Table") -> None:
    from .untrusted.screen import Screen  # noqa: PLC0415 - rich is heavy

    Screen(width=_width(), markup=False, emoji=False).print(table)  # a name like `[/red]` is no markup


def _width() -> int:
    """Columns of the terminal; those of a page where the output goes elsewhere."""
    from rich.console import Console  # noqa: PLC0415

    console = Console()
    return console.width if console.is_terminal else _PAGE_WIDTH


def _iso_date(text: str | None, option: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as exc:
        raise typer.BadParameter("must be a date like 2025-06-30", param_hint=option) from exc


def _at_most(value: float | Decimal | None, limit: float | None) -> bool:
    return limit is None or (value is not None and value <= limit)


def _unknown_last(value: float | Decimal | None) -> tuple[bool, float | Decimal]:
    return value is None, 0.0 if value is None else value


_ORDERS: Mapping[str, Callable[[ModelProfile], Any]] = {
    "id": lambda p: p.id,
    "ability": lambda p: _unknown_last(-p.ability["general"].mean if "general" in p.ability else None),
    "price": lambda p: _unknown_last(p.price.output_usd_per_mtok if p.price else None),
    "released": lambda p: _unknown_last(-p.released.toordinal() if p.released else None),
    "params": lambda p: _unknown_last(p.params_total_b),
    "context": lambda p: _unknown_last(-p.context_tokens if p.context_tokens else None),
}
