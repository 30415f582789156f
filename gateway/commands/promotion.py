"""`paretogate promote` and `rollback`: which predictor decides, changed only on evidence and taken back at once.

Where Redis keeps the journal, both reach every replica that writes to it; else, or with --here, one state directory.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, cast

import orjson
import typer
from rich.markup import escape
from rich.table import Table

from catalog import ParetoGateError, printable
from gateway.journal import JournalUnavailableError, JournalUnreadableError
from gateway.journal.opening import check_collected
from gateway.policies import configured_policies
from gateway.promotion import Champion, NotSharedError, SharedPredictors
from gateway.settings import InvalidSettingsError, Settings, load_settings
from predictors import Forecaster
from predictors.cli_options import DataFolder, data_folder
from predictors.parcel import Parcel
from predictors.versions import OvertakenError, PredictorVersions
from router.promotion import Judge, PromotionRules, Verdict

from .collect import warn
from .options import AsJson, ConfigFile, console, working_folder

__all__ = ["promote", "rollback"]

_RULES = PromotionRules()
_JUDGED_AT_MOST = 3  # times, where others put predictors in force meanwhile
_PATIENCE_S = 30.0  # megabytes may go a long way to Redis

Here = Annotated[
    bool,
    typer.Option("--here", help="Change this state directory alone, also where replicas share a journal in Redis."),
]


class NoJudgeError(ParetoGateError):
    """Nothing that is installed compares predictors."""

    def __init__(self) -> None:
        super().__init__(
            "no judge of predictors is installed (entry-point group paretogate.judges, name predictor); "
            "reinstall paretogate"
        )


def promote(
    challenger: Annotated[
        Path, typer.Argument(help="A folder written by `paretogate train`.", exists=True, file_okay=False)
    ],
    *,
    on: Annotated[
        str | None,
        typer.Option(
            help="Evidence: outcomes, a public dataset, or a journal; the gateway's own journal where left out."
        ),
    ] = None,
    policy: Annotated[str, typer.Option("--policy", "-p", help="That both decide under.")] = _RULES.policy,
    margin: Annotated[
        float, typer.Option(min=0, max=1, help="The interval of new minus old score may begin so far below 0.")
    ] = _RULES.margin,
    max_nfr: Annotated[
        float, typer.Option(min=0, max=1, help="Share of prompts that may turn from right to wrong.")
    ] = _RULES.max_nfr,
    at_least: Annotated[int, typer.Option(min=2, help="Prompts to judge by.")] = _RULES.at_least,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Compare, and change nothing.")] = False,
    data: DataFolder = None,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0,
    here: Here = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Let a trained predictor decide, once it is shown to lose nothing.

    It is compared with the one that decides now, on prompts that it was not trained on: its score may not be surely
    lower, its cost not surely higher without a surely higher score, few right answers may turn wrong, and always asking
    one model may not be surely better. Running gateways take it up within seconds, those of all replicas that share a
    journal in Redis. Exits with 1 where it is refused.
    """
    settings = load_settings(config=config, environ=os.environ, folder=working_folder())
    versions = _versions(settings)
    Forecaster.load(challenger)  # a damaged one is told at once
    if on is None and not check_collected(settings).exists():
        raise JournalUnreadableError(
            path=str(settings.journal_path),
            problem="it does not exist; serve some requests first, or name evidence: --on",
        )
    judge = _judge()

    def judged_against(champion: Path | None) -> Verdict:
        return judge(
            champion,
            challenger,
            on or str(settings.journal_path),
            rules=PromotionRules(policy=policy, margin=margin, max_nfr=max_nfr, at_least=at_least),
            policies=configured_policies(settings.policies),
            data=data_folder(data, os.environ),
            seed=seed,
        )

    with _reach(settings, versions, here=here) as reach:
        verdict, number = _promoted(reach, challenger, judged_against, dry_run=dry_run)
    _tell(reach, verdict, number, as_json=as_json)


def _promoted(
    reach: "_Reach", challenger: Path, judged_against: Callable[[Path | None], Verdict], *, dry_run: bool
) -> tuple[Verdict, int | None]:
    """The verdict over what decides when it is put in force, and its number; None where it is not.

    Raises:
        OvertakenError: others put predictors in force as often as it was judged.
    """
    sent = reach.sent(challenger)
    for left in reversed(range(_JUDGED_AT_MOST)):
        champion = reach.champion()
        verdict = judged_against(champion.folder)
        if dry_run or not verdict.passed:
            break
        try:
            return verdict, reach.promote(challenger, sent, verdict.facts, over=champion)
        except OvertakenError as exc:
            if not left:
                raise
            typer.echo(f"{exc.decides} was put in force meanwhile; comparing with that", err=True)
    return verdict, None


def rollback(
    *,
    to: Annotated[
        int | None, typer.Option(min=0, help="An earlier version; 0 is the one that ships. The last where left out.")
    ] = None,
    show: Annotated[bool, typer.Option("--list", help="Show the versions, and change nothing.")] = False,
    here: Here = False,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Let the predictor before this one decide again. Running gateways follow within seconds; nothing is deleted."""
    settings = load_settings(config=config, environ=os.environ, folder=working_folder())
    versions = _versions(settings)
    with _reach(settings, versions, here=here) as reach:
        if show:
            reach.look()
            _list(versions, as_json=as_json)
            return
        number = reach.roll_back(to)
    if as_json:
        _print_json({"version": number, **reach.told(number)})
    else:
        typer.echo(f"{f'version {number}' if number else 'the predictor that ships'} decides, {reach.where}")


@dataclass(frozen=True, kw_only=True)
class _Reach:
    """Whom a change reaches: a state directory, or all replicas that share a journal in Redis."""

    versions: PredictorVersions
    shared: SharedPredictors | None
    where: str
    why_not_shared: str | None

    def sent(self, challenger: Path) -> Parcel | None:
        """What would go to all replicas, refused before anything is judged where it cannot; None where nothing goes."""
        if self.shared is None:
            return None
        self.shared.check(parcel := Parcel.of(challenger))
        return parcel

    def champion(self) -> Champion:
        """The predictor that decides for those whom it reaches."""
        if self.shared is None:
            folder = self.versions.deciding()
            return Champion(folder=folder, name="" if folder is None else folder.name)
        with _not_shared():
            self.shared.take_up()
            return self.shared.champion()

    def promote(self, challenger: Path, sent: Parcel | None, verdict: Mapping[str, object], *, over: Champion) -> int:
        """Let it decide in the place of the one that it was judged against; its number.

        Raises:
            OvertakenError: another decides by now.
        """
        if self.shared is None or sent is None:
            return self.versions.promote(challenger, verdict, over=0 if over.folder is None else int(over.folder.name))
        with _not_shared():
            number = self.shared.promote(sent, verdict, over=over)
        self.look()
        return number

    def roll_back(self, to: int | None) -> int:
        """Let an earlier one decide; its number, 0 for the one that ships."""
        if self.shared is None:
            return self.versions.roll_back(to)
        with _not_shared():
            number = self.shared.roll_back(to)
        self.look()
        return number

    def look(self) -> None:
        """Take up here what is in force for all, if that can be had; what cannot is told."""
        try:
            if self.shared is not None:
                self.shared.take_up()
        except (ParetoGateError, OSError) as exc:
            typer.echo(f"warning: {self.versions.folder} does not have what is in force for all: {exc}", err=True)

    def told(self, number: int | None) -> Mapping[str, object]:
        """For machines."""
        why = "nothing was promoted" if number is None else self.why_not_shared
        return {"shared": why is None, "why_not_shared": why}


@contextmanager
def _reach(settings: Settings, versions: PredictorVersions, *, here: bool) -> Iterator[_Reach]:
    why = "--here says so" if here else None
    if settings.journal.stream_url is None:
        why = "journal.url names no Redis that replicas share"
    shared = SharedPredictors(settings, timeout_s=_PATIENCE_S, note=warn) if why is None else None
    where = (
        f"in every replica that writes to the journal in {settings.journal.shown_stream}"
        if why is None
        else f"where {settings.state_dir} is the state directory, since {why}"
    )
    with nullcontext() if shared is None else closing(shared):
        yield _Reach(versions=versions, shared=shared, where=where, why_not_shared=why)


@contextmanager
def _not_shared() -> Iterator[None]:
    try:
        yield
    except JournalUnavailableError as exc:
        raise NotSharedError(problem=exc.problem) from exc


def _versions(settings: Settings) -> PredictorVersions:
    if settings.predictor.path is not None:
        raise InvalidSettingsError(
            f"predictor.path: {settings.predictor.path} always decides; remove it to let promoted predictors decide"
        )
    return PredictorVersions(settings.predictors_dir)


def _judge() -> Judge:
    """Found by name, since gateway and eval never import one another."""
    found = list(entry_points(group="paretogate.judges", name="predictor"))
    if not found:
        raise NoJudgeError
    return cast("Judge", found[0].load())


def _tell(reach: _Reach, verdict: Verdict, number: int | None, *, as_json: bool) -> None:
    """Exits with 1 where it was refused."""
    if as_json:
        told = {"version": number, **reach.told(number), "passed": verdict.passed, "objections": verdict.objections}
        _print_json({**told, **verdict.facts})
    else:
        _show(verdict)
    if note := verdict.facts.get("note"):  # what the judge assumed of the evidence, or left out
        typer.echo(printable(f"note: {note}"), err=True)
    for objection in verdict.objections:
        typer.echo(f"refused: {objection}", err=True)
    if not verdict.passed:
        raise typer.Exit(1)
    if number is None:
        typer.echo("it may be promoted", err=True)
    else:
        typer.echo(f"version {number} decides, {reach.where}; `paretogate rollback` takes it back", err=True)


def _show(verdict: Verdict) -> None:
    facts = verdict.facts
    table = Table(title=f"{facts['n']} prompts; {facts['left_out']} left out, which one of the two was trained on")
    for name in ("", "in force", "challenger", "difference, 95 %"):
        table.add_column(name, justify="left" if not name else "right")
    for title, key in (("score", "score"), ("cost a request, US$", "cost_usd")):
        change = cast("dict[str, object] | None", facts[key])
        if change is not None:
            between = cast("dict[str, float]", change["difference"])
            ends = f"{between['lower']:+.3g} to {between['upper']:+.3g}"
            table.add_row(title, f"{change['old']:.4g}", f"{change['new']:.4g}", ends)
    flips = cast("tuple[dict[str, float], ...]", facts["flips"])
    if flips:
        table.add_row("right before, wrong now", "", f"{flips[0]['negative']:.1%}", "")
    table.add_row("another model answers", "", f"{facts['changed']:.1%}", "")
    for title, key, form in (
        ("  told by explored choices", "explored", "d"),
        ("  nothing tells what it is worth", "without_support", ".1%"),
        ("logged under another policy than this", "other_policy", ".1%"),
    ):
        if (told := facts.get(key)) is not None:
            table.add_row(title, "", format(told, form), "")
    console().print(table)


def _list(versions: PredictorVersions, *, as_json: bool) -> None:
    kept, theirs = versions.all(), {ours: number for number, ours in versions.followed().ours.items()}
    if as_json:
        rows = [
            {
                "version": v.number,
                "shared_as": theirs.get(v.number),
                "folder": str(v.folder),
                "in_force": v.in_force,
                "verdict": v.verdict,
            }
            for v in kept
        ]
        _print_json(rows)
        return
    table = Table("version", *["for all replicas"] if theirs else [], "decides", "judged on", "score before", "score")
    in_force = any(version.in_force for version in kept)
    table.add_row("0", *["0"] if theirs else [], "" if in_force else "yes", "(ships with paretogate)", "", "")
    for version in kept:
        score = version.verdict.get("score")
        told = [_figure(score.get(key) if isinstance(score, dict) else None) for key in ("old", "new")]
        shared = [str(theirs.get(version.number, ""))] if theirs else []
        decides = "yes" if version.in_force else ""
        table.add_row(str(version.number), *shared, decides, escape(str(version.verdict.get("evidence", ""))), *told)
    console().print(table)


def _figure(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, int | float) else ""


def _print_json(what: object) -> None:
    sys.stdout.buffer.write(orjson.dumps(what, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
