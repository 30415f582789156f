"""What several commands share, said once so that they read the same everywhere: their options and their screen."""

import signal
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

__all__ = [
    "AsJson",
    "ConfigFile",
    "PolicyName",
    "PoolGlobs",
    "Requirements",
    "console",
    "end_when_told",
    "working_folder",
]

_WIDTH_OF_A_FILE = 120

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Configuration file; paretogate.toml or .yaml here where left out."),
]
PolicyName = Annotated[
    str | None,
    typer.Option("--policy", "-p", help="best, balanced, cheap, fast, small, green, private or one of yours."),
]
PoolGlobs = Annotated[
    list[str] | None,
    typer.Option("--pool", help="Catalog ids or globs, or 'all': models to choose among, served here or not."),
]
Requirements = Annotated[
    list[str] | None,
    typer.Option("--require", "-r", help="A hard constraint, as key=value; for instance max_cost_usd=0.002."),
]


def console() -> Console:
    """Standard output; as wide as the terminal, or wide enough for tables where there is none."""
    screen = Console()
    return screen if screen.is_terminal else Console(width=_WIDTH_OF_A_FILE)


def end_when_told() -> None:
    """SIGTERM ends what goes on until interrupted, with 0; the first process of a container would not hear it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))


def working_folder() -> Path | None:
    """Where a configuration file is looked for; None where somebody deleted the folder that we were started in."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return None
