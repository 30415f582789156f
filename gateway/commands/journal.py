"""`paretogate journal`: what the journal holds, how to collect it from Redis, and how to take it elsewhere."""

import os
import sys
from pathlib import Path
from typing import Annotated, BinaryIO

import orjson
import typer

from gateway.journal import JournalReader, JournalUnavailableError
from gateway.journal.opening import open_reader
from gateway.journal.stream_state import read_stream_state
from gateway.settings import Settings, load_settings

from .collect import collect
from .options import AsJson, ConfigFile, working_folder

__all__ = ["commands"]

commands = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Look at the journal, collect it, or export it."
)
commands.command()(collect)


@commands.command()
def status(*, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """How many decisions, outcomes and pieces of feedback there are."""
    settings = load_settings(config=config, environ=os.environ, folder=working_folder())
    waiting = _waiting(settings)
    with open_reader(settings) as reader:
        counts = reader.counts()
    if as_json:
        told = {} if settings.journal.stream_url is None else {"uncollected": waiting}
        typer.echo(orjson.dumps({"path": str(settings.journal_path), **counts, **told}).decode())
        return
    typer.echo(str(settings.journal_path), err=True)
    for table, count in counts.items():
        typer.echo(f"{count:>10,} {table}")


def _private(path: str, flags: int) -> int:
    """An opener of files for their owner alone, where they are new: the journal may hold prompts."""
    return os.open(path, flags, 0o600)


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
    _waiting(settings)
    with open_reader(settings) as reader:
        if out is None:
            count = _write(reader, sys.stdout.buffer)
        else:
            with open(out, "wb", opener=_private) as file:
                count = _write(reader, file)
    typer.echo(f"{count} decisions from {settings.journal_path}", err=True)


def _waiting(settings: Settings) -> int | None:
    """Records in Redis, which the file has not; told where there are any, None where that is not known."""
    if settings.journal.stream_url is None:
        return None
    try:
        records = read_stream_state(settings).records
    except JournalUnavailableError as exc:
        typer.echo(f"what waits in Redis is not known: {exc}", err=True)
        return None
    if records:
        remedy = "`paretogate journal collect` brings what this file has not"
        typer.echo(f"{records:,} records wait in {settings.journal.shown_stream}; {remedy}", err=True)
    return records


def _write(reader: JournalReader, file: BinaryIO) -> int:
    decisions = 0
    for call in reader.calls():
        decisions += 1
        records = (call.decision, *call.outcomes, *call.feedback)
        file.write(b"".join(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in records))
    return decisions
