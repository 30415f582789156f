"""The command line: gathers the commands of every room and runs one of them.

Commands are named in the entry-point group `paretogate.commands` and loaded only when called, so that the gateway
never imports another room for the sake of its command, help is fast, and a room that cannot be loaded (an extra
that is not installed) leaves the other commands working.
"""

import errno
import importlib
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint, entry_points, version
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from catalog import ParetoGateError, printable

__all__ = ["main"]

_GROUP = "paretogate.commands"

_OWN = {
    "serve": ("gateway.commands.serve:serve", "Start the gateway."),
    "route": ("gateway.commands.route:route", "Decide which model should answer a prompt, without asking it."),
    "explain": ("gateway.commands.route:explain", "The same decision with everything it rests on."),
    "refine": ("gateway.commands.refine:refine", "Learn from the journal how fast, long and reliable backends are."),
    "promote": (
        "gateway.commands.promotion:promote",
        "Let a trained predictor decide, once it is shown to lose nothing.",
    ),
    "rollback": ("gateway.commands.promotion:rollback", "Let the predictor before this one decide again."),
    "journal": ("gateway.commands.journal:commands", "Look at the journal, collect it from Redis, or export it."),
    "keys": ("gateway.commands.keys:commands", "Make, list and revoke API keys."),
    "doctor": ("gateway.commands.doctor:doctor", "Check this installation and say how to mend it."),
}

# What the help says of other rooms' commands before they are loaded.
_KNOWN = {
    "catalog": "List, show, compare and import models.",
    "train": "Fit a predictor to outcomes.",
    "replay": "Replay outcomes through the router and measure it.",
    "diff-policy": "Show what a change of policy changes, and which right answers it loses.",
    "probe": "Measure a model by a few questions, within a budget.",
    "tools": "Search, import and measure tools.",
}

# Commands of ours within a group that another room brings.
_JOINED = {"tools": "gateway.commands.tools:commands"}

_EXTRA_OF = {"polars": "train", "sklearn": "train", "scipy": "train", "litellm": "litellm"}


# What the machine refuses, beyond what a command answers itself.
_REMEDIES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space, or raise the quota",
    errno.EACCES: "see who may use it, or name another place",
    errno.EPERM: "see who may use it, or name another place",
    errno.EROFS: "name a place that can be written, such as another state.dir (PARETOGATE_STATE__DIR)",
    errno.ENOMEM: "give it more memory",
    errno.ENOLCK: "name a place on a file system that knows locks, such as another state.dir (PARETOGATE_STATE__DIR)",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
}

_NO_THREAD = "can't start new thread"  # Python's words, for which it has no class of errors
_LESS_MEMORY = "see that the files it was given are what they should be, or give it more"
_MORE_THREADS = "raise the limit of processes (ulimit -u, or the container's of pids), or give it more memory"

_Any = Any  # typer's vendored click has no public types to name


class CommandUnavailableError(ParetoGateError):
    """A command exists but cannot be loaded; the message says why and what to install."""


class _LateCommand(TyperCommand):
    """Stands for a command in the help; becomes the real one when it is called."""

    def __init__(self, name: str, summary: str, load: Callable[[], object]) -> None:
        super().__init__(name, help=summary)
        self._load = load

    def make_context(self, info_name: str | None, args: list[str], parent: _Any = None, **extra: _Any) -> _Any:
        return _as_command(str(self.name), self._load).make_context(info_name, args, parent, **extra)


class _Rooms(TyperGroup):
    """Every room's commands."""

    def list_commands(self, ctx: _Any) -> list[str]:  # noqa: ARG002 - the signature is typer's
        return [*_OWN, *sorted(set(_entry_points()) - set(_OWN))]

    def get_command(self, ctx: _Any, cmd_name: str) -> _Any:  # noqa: ARG002 - the signature is typer's
        if cmd_name in _OWN:
            target, summary = _OWN[cmd_name]
            return _LateCommand(cmd_name, summary, lambda: _own(target))
        entry = _entry_points().get(cmd_name)
        if entry is None:
            return None
        load = (lambda: _joined(entry, _JOINED[cmd_name])) if cmd_name in _JOINED else entry.load
        return _LateCommand(cmd_name, _KNOWN.get(cmd_name, f"From {entry.value}."), load)


app = typer.Typer(
    cls=_Rooms,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},  # of every command below as well
    epilog="New here? `paretogate doctor` says what works on this machine, `paretogate serve` starts with that.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"paretogate {version('paretogate')}")
        raise typer.Exit


@app.callback()
def _paretogate(
    _version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Say which.")] = (
        False
    ),
) -> None:
    """Predicts per prompt how good, expensive and slow each model's answer will be, and routes to the Pareto front."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 for done, 1 for failed, 2 for misuse."""
    try:
        typer.main.get_command(app).main(args=None if argv is None else list(argv), prog_name="paretogate")
    except ParetoGateError as exc:
        typer.echo(f"error: {printable(str(exc))}", err=True)
        return 1
    except ModuleNotFoundError as exc:  # of an extra: heavy libraries are imported where they are needed, and late
        if not (extra := _extra_of(exc)):
            raise
        typer.echo(f"error: this needs {exc.name}, which is not installed: pip install 'paretogate[{extra}]'", err=True)
        return 1
    except OSError as exc:  # the machine refuses a file: no fault of the program's
        if exc.strerror is None:
            raise
        typer.echo(f"error: {printable(_refusal(exc))}", err=True)
        return 1
    except (MemoryError, RuntimeError) as exc:
        if not (told := _scarcity(exc)):
            raise
        typer.echo(f"error: {told}", err=True)
        return 1
    except SystemExit as exc:
        return exc.code if isinstance(exc.code, int) else int(exc.code is not None)
    return 0


def _refusal(exc: OSError) -> str:
    from .commands.options import working_folder  # noqa: PLC0415 - only on the way to an error

    if exc.errno == errno.ENOENT and exc.filename is None and working_folder() is None:
        return "the folder that this was started in is no longer there; change to another (cd) and start again"
    where = f"{exc.filename}: " if exc.filename is not None else ""
    return f"{where}{exc.strerror}; {_REMEDIES.get(exc.errno or 0, 'see that the path is right and can be used')}"


def _scarcity(exc: Exception) -> str | None:
    """What this machine has too little of."""
    if isinstance(exc, MemoryError):
        return f"this needs more memory than there is; {_LESS_MEMORY}"
    return f"this machine allows no further thread; {_MORE_THREADS}" if str(exc) == _NO_THREAD else None


def _extra_of(missing: ModuleNotFoundError) -> str | None:
    return _EXTRA_OF.get((missing.name or "").partition(".")[0])


def _entry_points() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=_GROUP)}


def _own(target: str) -> object:
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def _joined(entry: EntryPoint, target: str) -> object:
    """Another room's group and ours, under one name."""
    theirs, ours = entry.load(), _own(target)
    group = typer.Typer(help=theirs.info.help, no_args_is_help=True, add_completion=False)
    group.registered_commands = [*theirs.registered_commands, *ours.registered_commands]  # type: ignore[attr-defined]
    return group


def _as_command(name: str, load: Callable[[], object]) -> _Any:
    try:
        loaded = load()
    except ModuleNotFoundError as exc:
        extra = _extra_of(exc)
        remedy = f"pip install 'paretogate[{extra}]'" if extra else "`paretogate doctor` checks the installation"
        raise CommandUnavailableError(
            f"`paretogate {name}` needs {exc.name}, which is not installed: {remedy}"
        ) from exc
    except (ImportError, AttributeError) as exc:
        raise CommandUnavailableError(f"`paretogate {name}` cannot be loaded: {exc}") from exc
    if isinstance(loaded, typer.Typer):
        return typer.main.get_command(loaded)
    if not callable(loaded):
        raise CommandUnavailableError(f"`paretogate {name}` is a {type(loaded).__name__}, not a command")
    alone = typer.Typer(add_completion=False, rich_markup_mode="rich")
    alone.command(name)(loaded)
    return typer.main.get_command(alone)


if __name__ == "__main__":
    sys.exit(main())
