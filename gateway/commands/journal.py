"""`paretogate journal`: what the journal holds, and how to take it elsewhere."""

import os
import sys
from pathlib import Path
from typing import Annotated, BinaryIO

import orjson
import typer

from gateway.journal import JournalReader
from gateway.settings import load_settings

from .options import AsJson, ConfigFile, working_folder

__all__ = ["commands"]

commands = typer.Typer(no_args_is_help=True, add_completion=False, help="Look at the journal, or export it.")


@commands.command()
def status(*, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """How many decisions, outcomes and pieces of feedback there are."""
    settings = load_settings(config=config, environ=os.environ, folder=working_folder())
    with JournalReader(settings.journal_path) as reader:
        counts = reader.counts()
    if as_json:
        typer.echo(orjson.dumps({"path": str(settings.journal_path), **counts}).decode())
        return
    typer.echo(str(settings.journal_path), err=True)
    for table, count in counts.items():
        typer.echo(f"{count:>10,} {table}")


@commands.command()
def export(
    *,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File to write; standard output where left out.")
    ] = None,
    config: ConfigFile = None,
) -> None:
    """Write one record a line: each decision, then its outcomes and feedback. `paretogate replay` reads it."""
    settings = load_settings(config=config, environ=os.environ, folder=working_folder())
    with JournalReader(settings.journal_path) as reader:
        if out is None:
            count = _write(reader, sys.stdout.buffer)
        else:
            with out.open("wb") as file:
                count = _write(reader, file)
    typer.echo(f"{count} decisions from {settings.journal_path}", err=True)


def _write(reader: JournalReader, file: BinaryIO) -> int:
    decisions = 0
    for call in reader.calls():
        decisions += 1
        records = (call.decision, *call.outcomes, *call.feedback)
        file.write(b"".join(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in records))
    return decisions
