"""`paretogate journal collect`: from the stream in Redis into a file, once or for as long as it runs."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import orjson
import typer

from gateway.journal import JournalUnavailableError
from gateway.journal.collecting import GROUP, Collecting, collecting
from gateway.settings import load_settings

from .options import AsJson, ConfigFile, Termination, working_folder

__all__ = ["collect", "warn"]

_WAIT_S, _AGAIN_AFTER_S, _TOLD_EVERY_S = 1.0, 5.0, 60.0


def collect(
    *,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="redis://, rediss:// or unix://; that of journal.url where left out. Passwords"
            " belong into PARETOGATE_JOURNAL__URL: everybody on a machine can read arguments.",
        ),
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", help="SQLite file; journal.sqlite3 in the state directory where left out.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Go on until interrupted.")] = False,
    group: Annotated[str, typer.Option(help="Consumer group, of this file alone.")] = GROUP,
    consumer: Annotated[
        str | None, typer.Option(help="Name in the group; that of this machine where left out.")
    ] = None,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Go on where the group's former file ended, which is gone for good.")
    ] = False,
    cluster: Annotated[bool, typer.Option("--cluster", help="--from is any node of a Redis Cluster.")] = False,
    namespace: Annotated[
        str | None,
        typer.Option("--namespace", help="How the installation's keys begin; state.namespace where left out."),
    ] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Move the records of all replicas from Redis into a SQLite journal, each exactly once.

    What every group has in its file is then removed from Redis. It may be killed at any moment and started again.
    """
    flags = {"journal": {"url": source, "cluster": True if cluster else None}, "state": {"namespace": namespace}}
    settings = load_settings(config=config, environ=os.environ, flags=flags, folder=working_folder())
    path = to or settings.journal_path
    with collecting(settings, path=path, group=group, consumer=consumer, take_over=take_over, note=warn) as work:
        if not watch:
            _tell(work.all(), path, as_json=as_json)
            return
        stop = Termination()
        typer.echo(f"collecting {settings.journal.shown_stream} into {path}; Ctrl-C ends", err=True)
        _watch(work, stop, lambda moved: _tell(moved, path, as_json=as_json))


def warn(event: str, **facts: object) -> None:
    """What a collector has to say of lost records and the like."""
    typer.echo(f"{event}: {', '.join(f'{name} {value}' for name, value in facts.items())}", err=True)


def _watch(work: Collecting, stop: Termination, tell: Callable[[int], None]) -> None:
    moved, told_s = 0, time.monotonic()
    while not stop.is_told:
        try:
            moved += work.some(wait_s=_WAIT_S)
        except JournalUnavailableError as exc:
            if exc.for_good:
                raise
            typer.echo(f"error: {exc}; trying again in {_AGAIN_AFTER_S:g} s", err=True)
            stop.wait(_AGAIN_AFTER_S)
        if moved and time.monotonic() - told_s >= _TOLD_EVERY_S:
            tell(moved)
            moved, told_s = 0, time.monotonic()


def _tell(moved: int, path: Path, *, as_json: bool) -> None:
    if as_json:
        typer.echo(orjson.dumps({"path": str(path), "records": moved}).decode())
        return
    typer.echo(f"{moved:,} records into {path}", err=True)
