"""What several commands share, said once so that they read the same everywhere: their options and their screen."""

import signal
import time
from pathlib import Path
from typing import Annotated

import typer

from catalog.untrusted.screen import Screen

__all__ = [
    "AsJson",
    "ConfigFile",
    "PolicyName",
    "PoolGlobs",
    "Requirements",
    "Termination",
    "console",
    "working_folder",
]

_WIDTH_OF_A_FILE = 120
_HEARD_WITHIN_S = 0.2

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


def console() -> Screen:
    """Standard output; as wide as the terminal, or wide enough for tables where there is none."""
    screen = Screen()
    return screen if screen.is_terminal else Screen(width=_WIDTH_OF_A_FILE)


class Termination:
    """SIGTERM, for what goes on until interrupted: it ends in its own time, and with 0.

    The first process of a container would not hear it otherwise, and an exception out of a handler can be lost.
    """

    def __init__(self) -> None:
        self.is_told = False
        signal.signal(signal.SIGTERM, self._hear)

    def wait(self, timeout: float) -> bool:
        """Sleep for so many seconds, or until told to end; whether that was told."""
        end_s = time.monotonic() + timeout
        while not self.is_told and (left_s := end_s - time.monotonic()) > 0:
            time.sleep(min(left_s, _HEARD_WITHIN_S))
        return self.is_told

    def _hear(self, *_: object) -> None:
        self.is_told = True


def working_folder() -> Path | None:
    """Where a configuration file is looked for; None where somebody deleted the folder that we were started in."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return None
