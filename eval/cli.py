"""`paretogate replay`: parse, call one public function, print."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalog import ParetoGateError, printable
from predictors.cli_options import DataFolder, EncoderKey, EncoderName, data_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router import Policy

    from .contenders.contender import Contender
    from .replay.report import Outputs
    from .replay.study import Study

__all__ = ["replay"]


def replay(
    outcomes: Annotated[
        list[str],
        typer.Argument(help="Public datasets by name, files or folders of outcomes, or a gateway's journal."),
    ],
    *,
    data: DataFolder = None,
    predictor: Annotated[
        Path | None,
        typer.Option(help="A saved predictor, or `default`; then ours learns nothing from the replayed file."),
    ] = None,
    encoder: EncoderName = "static",
    encoder_key: EncoderKey = None,
    policy: Annotated[list[str] | None, typer.Option(help="A policy to show beside the sweep; repeatable.")] = None,
    config: Annotated[Path | None, typer.Option(help="A paretogate.toml whose policies may be shown.")] = None,
    folds: Annotated[int, typer.Option(min=2, help="Folds of the cross-validation, split by question.")] = 5,
    leave_out: Annotated[
        str | None,
        typer.Option(help="Judge on this benchmark after learning from the others; `each`: on each in turn."),
    ] = None,
    noise: Annotated[
        bool, typer.Option("--noise", help="Also measure how many decisions change with case, spaces, slips, format.")
    ] = False,
    decisions: Annotated[Path | None, typer.Option(help="Write every decision to this Parquet file.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a self-contained page with charts and tables.")] = None,
    svg: Annotated[Path | None, typer.Option(help="Write the chart of the first table.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write all numbers as JSON.")] = None,
    seed: Annotated[int, typer.Option(help="Of the folds, the random rule and the bootstrap.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the JSON report instead of tables.")] = False,
) -> None:
    """Replay outcomes through the real router, beside random, best single model, kNN and oracle."""
    # the imports below are heavy: `paretogate --help` must not pay for them
    from predictors.encoders import open_encoder  # noqa: PLC0415

    from .contenders.lineup import lineup  # noqa: PLC0415
    from .policy.configured import known_policy, read_policies  # noqa: PLC0415
    from .replay.report import Outputs  # noqa: PLC0415
    from .replay.study import Study  # noqa: PLC0415

    folder = data_folder(data, os.environ)
    for_tables_only = bool(predictor or leave_out or noise or decisions or html or svg)
    journals = _journals_among(outcomes, for_tables_only=for_tables_only)
    for path in (decisions, html, svg, report):
        if path is not None and not path.parent.is_dir():  # told before minutes were spent
            raise typer.BadParameter(f"{path.parent} is no folder, so {path.name} cannot be written there")
    try:
        configured = read_policies(config)
        named = tuple(known_policy(name, configured) for name in policy or ())
        if journals:
            shown = named or ("balanced", "best", "cheap")
            _replay_journals(journals, shown, configured, seed=seed, report=report, as_json=as_json)
            return
        study = Study(
            policies=named or ("balanced",),
            configured=configured,
            n_folds=folds,
            leave_out=leave_out,
            seed=seed,
            encoder=encoder,
            noise=noise,
        )
        reader = None if encoder == "static" else open_encoder(encoder, api_key=encoder_key)
        contenders = lineup(predictor, encoder=reader, encoder_key=encoder_key)
        outputs = Outputs(decisions=decisions, html=html, svg=svg, report=report)
        _replay_tables(outcomes, folder, contenders, study, outputs, named=named, predictor=predictor, as_json=as_json)
    except (ParetoGateError, OSError) as exc:
        typer.echo(f"error: {printable(str(exc))}", err=True)
        raise typer.Exit(1) from exc


def _journals_among(names: list[str], *, for_tables_only: bool) -> list[Path]:
    """The journals, all of them or none; `for_tables_only` is whether an option was given that is not for journals."""
    from predictors.journal.outcomes import is_journal  # noqa: PLC0415

    journals = [Path(name) for name in names if Path(name).is_file() and is_journal(Path(name))]
    if journals and len(journals) < len(names):
        raise typer.BadParameter("a journal is replayed by itself; name it alone")
    if journals and for_tables_only:
        raise typer.BadParameter(
            "a journal is valued by the forecasts in it and gives a table or JSON: of the options, --policy, --config, "
            "--seed, --report and --json are for it"
        )
    return journals


def _replay_tables(
    names: list[str],
    data: Path,
    contenders: "tuple[Contender, ...]",
    study: "Study",
    outputs: "Outputs",
    *,
    named: tuple[str, ...],
    predictor: Path | None,
    as_json: bool,
) -> None:
    from catalog.registry import Catalog  # noqa: PLC0415

    from .contenders.contender import FittedContender  # noqa: PLC0415
    from .contenders.lineup import SHIPPED  # noqa: PLC0415
    from .outcomes.sources import read_table, unseen  # noqa: PLC0415
    from .replay.report import json_report, terminal_report, write_outputs  # noqa: PLC0415
    from .replay.study import run_study  # noqa: PLC0415
    from .replay.unknown_goals import unknown_goals  # noqa: PLC0415
    from .screen import progress_bar, screen, stages  # noqa: PLC0415

    catalog = Catalog.load() if isinstance(contenders[0], FittedContender) else None
    # all of them first: a misspelt name must not cost minutes
    saved = [predictor] if predictor is not None and predictor != SHIPPED else []
    tables = [unseen(read_table(name, data=data, catalog=catalog), *saved) for name in names]
    for table in tables:
        if table.note:
            typer.echo(printable(f"note: {table.name}: {table.note}"), err=True)
        for policy, goals in unknown_goals(table, contenders[0], named, study.configured).items():
            told = f"policy {policy!r} is replayed without {', '.join(goals)}, which nothing tells of these models"
            typer.echo(printable(f"note: {table.name}: {told}"), err=True)
    with progress_bar() as bar:
        results = [run_study(table, contenders, study, progress=stages(bar, table.name)) for table in tables]
    summaries = [summary for _, summary in results]
    if as_json:
        sys.stdout.write(json.dumps([json_report(s) for s in summaries], indent=1) + "\n")
    else:
        console = screen()
        for summary in summaries:
            console.print(terminal_report(summary))
    write_outputs(results, outputs)  # last: a full disk must not cost what was measured


def _replay_journals(
    journals: list[Path],
    policies: tuple[str, ...],
    configured: "Mapping[str, Policy]",
    *,
    seed: int,
    report: Path | None,
    as_json: bool,
) -> None:
    """Value each policy on each journal, and say so."""
    from .journal.logged_decisions import read_journal  # noqa: PLC0415
    from .journal.report import journal_report, value_rows  # noqa: PLC0415
    from .screen import progress_bar, screen, stages  # noqa: PLC0415

    found: list[dict[str, object]] = []
    with progress_bar() as bar:
        for path in journals:
            tell = stages(bar, path.name)
            tell("reading", 0, len(policies))
            log = read_journal(path)
            rows = value_rows(log, policies, configured=configured, seed=seed, progress=tell)
            found += [{"journal": path.name, **row} for row in rows]
    text = json.dumps(found, indent=1) + "\n"
    if report is not None:
        report.write_text(text, encoding="utf-8")
    if as_json:
        sys.stdout.write(text)
    else:
        screen().print(journal_report(found))
