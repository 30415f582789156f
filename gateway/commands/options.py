"""Options that several commands share, declared once so that they read the same everywhere."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["AsJson", "ConfigFile", "PolicyName", "PoolGlobs", "Requirements"]

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
