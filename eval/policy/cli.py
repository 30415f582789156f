"""`paretogate diff-policy`: parse, call one public function, print."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalog import ParetoGateError, printable
from predictors.cli_options import DataFolder, data_folder

if TYPE_CHECKING:
    from router import Policy

    from .corpus import Corpus, Side

__all__ = ["diff_policy"]


def diff_policy(
    old: Annotated[str, typer.Argument(help="The policy in force; POLICY@PREDICTOR decides by a saved predictor.")],
    new: Annotated[str, typer.Argument(help="Its successor, named likewise; `default` is the predictor that ships.")],
    *,
    corpus: Annotated[
        str, typer.Option(help="Outcomes (a file or a public dataset), a table of prompts, or a gateway's journal.")
    ],
    config: Annotated[Path | None, typer.Option(help="A paretogate.toml whose policies may be named.")] = None,
    pool: Annotated[list[str] | None, typer.Option(help="Models to choose from for bare prompts; repeatable.")] = None,
    data: DataFolder = None,
    folds: Annotated[int, typer.Option(min=2, help="Folds of outcomes, split by question.")] = 5,
    max_nfr: Annotated[float, typer.Option(min=0, max=1, help="Fail above this share of negative flips.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Of the folds and the bootstrap.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Show what a change of policy changes: decisions, cost, and right answers that turn wrong.

    Exits with 1 where more than --max-nfr of the prompts were answered rightly and would no longer be.
    """
    # the imports below are heavy: `paretogate --help` must not pay for them
    from .configured import read_policies  # noqa: PLC0415
    from .difference import difference  # noqa: PLC0415

    try:
        policies = read_policies(config)
        sides = (_side(old, policies), _side(new, policies))
        folder = data_folder(data, os.environ)
        routed = _routed(corpus, sides, policies, data=folder, pool=tuple(pool or ("all",)), folds=folds, seed=seed)
        found = difference(routed.old, routed.new, task=routed.task, group=routed.group, seed=seed)
        if max_nfr < 1 and not found.flips:
            typer.echo("error: --max-nfr needs a corpus with scores; this one has none", err=True)
            raise typer.Exit(1)
    except ParetoGateError as exc:
        typer.echo(f"error: {printable(str(exc))}", err=True)
        raise typer.Exit(1) from exc
    passed = not found.flips or found.flips[0].negative <= max_nfr
    if as_json:
        told = {"old": old, "new": new, "corpus": corpus, "max_nfr": max_nfr, "passed": passed, **asdict(found)}
        sys.stdout.write(json.dumps(told, indent=1) + "\n")
    else:
        from eval.screen import screen  # noqa: PLC0415

        from .report import policy_report  # noqa: PLC0415

        screen().print(policy_report(found, old=old, new=new))
    if not passed:
        share = found.flips[0].negative
        typer.echo(f"refused: {share:.1%} of prompts turned from right to wrong, at most {max_nfr:.1%} may", err=True)
        raise typer.Exit(1)


def _side(text: str, policies: Mapping[str, "Policy"]) -> "Side":
    from .configured import known_policy  # noqa: PLC0415
    from .corpus import Side  # noqa: PLC0415

    policy, _, predictor = text.partition("@")
    return Side(policy=known_policy(policy, policies), predictor=Path(predictor) if predictor else None)


def _routed(
    corpus: str,
    sides: tuple["Side", "Side"],
    policies: Mapping[str, "Policy"],
    *,
    data: Path,
    pool: tuple[str, ...],
    folds: int,
    seed: int,
) -> "Corpus":
    """The corpus as both policies route it, whichever of the three kinds it is."""
    from catalog.registry import Catalog  # noqa: PLC0415
    from eval.contenders.lineup import SHIPPED  # noqa: PLC0415
    from eval.journal.logged_decisions import read_journal  # noqa: PLC0415
    from eval.outcomes.folds import Folds, learnable  # noqa: PLC0415
    from eval.outcomes.sources import read_table, unseen  # noqa: PLC0415
    from eval.screen import progress_bar, stages  # noqa: PLC0415
    from predictors.journal.outcomes import is_journal  # noqa: PLC0415

    from .corpus import (  # noqa: PLC0415
        journal_corpus,
        outcome_corpus,
        priced_pool,
        prompt_corpus,
        read_prompts,
    )

    path = Path(corpus)
    with progress_bar() as bar:
        show = stages(bar, path.name)
        show("reading", 0, 1)
        if path.is_file() and is_journal(path):
            return journal_corpus(read_journal(path), sides, policies, progress=show)
        catalog = Catalog.load()
        prompts = read_prompts(path) if path.is_file() else None
        if prompts is not None:
            return prompt_corpus(prompts, priced_pool(catalog, pool), sides, policies, progress=show)
        saved = [side.predictor for side in sides if side.predictor is not None and side.predictor != SHIPPED]
        table = unseen(read_table(corpus, data=data, catalog=catalog), *saved)
        if table.note:
            typer.echo(printable(f"note: {table.note}"), err=True)
        table, split = learnable(table, lambda t: Folds.by_group(t, n_folds=folds, seed=seed))
        return outcome_corpus(table, split, sides, policies, progress=show)
