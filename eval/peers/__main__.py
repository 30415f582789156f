"""Parse, compare, print: `python -m eval.peers llmrouter --data DIR --peer-python PATH`."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from catalog import ParetoGateError
from eval.outcomes.sources import read_table
from predictors.cli_options import data_folder

from .comparison import Comparison, compare
from .exchange import PEERS

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Print one table in Markdown per dataset; progress goes to standard error."""
    parser = argparse.ArgumentParser(prog="python -m eval.peers", description=__doc__)
    parser.add_argument("dataset", nargs="+", help="routing datasets by name")
    parser.add_argument(
        "--data", type=Path, default=data_folder(None, os.environ), help="folder of the public datasets"
    )
    parser.add_argument("--peer-python", type=Path, required=True, help="a Python with llmrouter-lib installed")
    parser.add_argument("--peer", action="append", choices=PEERS, help="default: all")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write all numbers")
    args = parser.parse_args(argv)
    found: list[Comparison] = []
    try:
        for name in args.dataset:
            table = read_table(name, data=args.data)
            found.append(
                compare(
                    table,
                    python=args.peer_python,
                    n_folds=args.folds,
                    peers=tuple(args.peer or PEERS),
                    progress=_tell,
                )
            )
            sys.stdout.write(_markdown(found[-1]))
            sys.stdout.flush()
    except ParetoGateError as exc:
        sys.stderr.write(f"error: {exc}\n")
        return 1
    if args.json:
        args.json.write_text(json.dumps([asdict(one) for one in found], indent=1), encoding="utf-8")
    return 0


def _tell(what: str) -> None:
    sys.stderr.write(f"{what}\n")


def _markdown(found: Comparison) -> str:
    head = f"{found.table}: {found.n_prompts:,} prompts, {found.n_models} models, llmrouter-lib {found.peer_version}"
    lines = [
        f"**{head}**",
        "",
        "| rule | mean score | gain over the best single model, points |",
        "| --- | --- | --- |",
    ]
    for row in sorted(found.rows, key=lambda row: row.score):
        low, high = 100 * row.gain_interval.lower, 100 * row.gain_interval.upper
        lines.append(f"| {row.name} | {row.score:.4f} | {100 * row.gain:+.2f} [{low:+.2f}, {high:+.2f}] |")
    return "\n".join(lines) + "\n\n"


if __name__ == "__main__":
    sys.exit(main())
