"""Parse, study, print: `python -m eval.newcomers mmlu_pro zeroeval bfcl_2024_08 --data DIR`."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from catalog import ParetoGateError
from catalog.importers.litellm_prices import read_price_map

from .benchmark import OWN_FIGURES
from .report import markdown, regret_chart
from .study import study

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables to standard output, progress to standard error."""
    parser = argparse.ArgumentParser(prog="python -m eval.newcomers", description=__doc__)
    parser.add_argument("dataset", nargs="*", default=list(OWN_FIGURES), help="routing datasets by name")
    folder = os.environ.get("PARETOGATE_DATA", "../shared/data")
    parser.add_argument("--data", type=Path, default=Path(folder), help="folder of the public datasets")
    parser.add_argument("--partitions", type=int, default=5, help="times the models are parted into pools")
    parser.add_argument("--svg", type=Path, help="write the chart of regret against probes")
    parser.add_argument("--json", type=Path, help="write all numbers")
    args = parser.parse_args(argv)

    def tell(what: str) -> None:
        sys.stderr.write(f"{what}\n")

    try:
        prices = read_price_map(None)
        found = [
            study(name, data=args.data, prices=prices, partitions=args.partitions, progress=tell)
            for name in args.dataset
        ]
    except ParetoGateError as exc:
        sys.stderr.write(f"error: {exc}\n")
        return 1
    sys.stdout.write(markdown(found))
    if args.svg:
        args.svg.write_text(regret_chart(found), encoding="utf-8")
    if args.json:
        args.json.write_text(json.dumps([asdict(one) for one in found], indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
