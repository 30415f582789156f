"""`paretogate train`: parse, call one public function, print."""

import json
import math
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalog import ParetoGateError, printable

from .arithmetic import settings_of_common_arithmetic
from .cli_options import DataFolder, EncoderKey, EncoderName, data_folder
from .stages import Stages

if TYPE_CHECKING:
    from .outcomes import Outcomes
    from .quality.model import QualityModel
    from .recipe.predictor import FittedPredictor

__all__ = ["train"]


def train(
    outcomes: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Files or folders of outcomes (CSV, JSONL, Parquet), or a gateway's journal (SQLite, or exported as "
            "JSONL); none: make the shipped model again."
        ),
    ] = None,
    *,
    out: Annotated[Path | None, typer.Option(file_okay=False, help="Folder to write the predictor to.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Make the shipped model again and compare it bit by bit; write nothing.")
    ] = False,
    data: DataFolder = None,
    encoder: EncoderName = "static",
    encoder_key: EncoderKey = None,
    hold_out: Annotated[
        float,
        typer.Option(min=0, max=0.9, help="Share of questions not to learn from; `promote` judges by them."),
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="Of the folds and of the start values.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest as JSON.")] = False,
) -> None:
    """Fit a quality predictor to outcomes and write it as arrays and a manifest."""
    folder = data_folder(data, os.environ)
    if check and (outcomes or out is not None):
        raise typer.BadParameter("--check makes the shipped model again: give neither outcomes nor --out")
    if hold_out and not outcomes:
        raise typer.BadParameter("--hold-out is for outcomes of your own: name them")
    if out is None and not check:
        raise typer.BadParameter("say where to write the predictor: --out FOLDER")
    if not outcomes and (settings := settings_of_common_arithmetic(os.environ)):
        status = _train_shipped(
            out, folder, settings, encoder=encoder, encoder_key=encoder_key, seed=seed, as_json=as_json
        )
        raise typer.Exit(status)
    paths = outcomes or []
    try:
        table = _read(paths, folder).without(hold_out, seed=seed)
        fitted = _fit(table, paths, encoder=encoder, encoder_key=encoder_key, seed=seed)
        if out is None:
            _compare(fitted.quality)
            return
        fitted.save(out)
    except (ParetoGateError, OSError) as exc:
        typer.echo(f"error: {exc}", err=True)
        raise typer.Exit(1) from exc
    manifest = fitted.quality.manifest
    typer.echo(json.dumps(manifest, indent=2, ensure_ascii=False) if as_json else _told(fitted.quality, out))


def _train_shipped(
    out: Path | None,
    data: Path,
    settings: Mapping[str, str],
    *,
    encoder: str,
    encoder_key: str | None,
    seed: int,
    as_json: bool,
) -> int:
    """Train the shipped model in a process that adds up as other machines do; its exit status."""
    where = ["--check"] if out is None else ["--out", str(out)]
    options = ["--data", str(data), "--encoder", encoder, "--seed", str(seed), *(["--json"] if as_json else [])]
    command = [sys.executable, "-c", "import typer; from predictors.cli import train; typer.run(train)"]
    environ = {**os.environ, **settings}
    if encoder_key:
        environ["PARETOGATE_ENCODER_KEY"] = encoder_key  # arguments of a process are for all to see
    done = subprocess.run([*command, *where, *options], env=environ, check=False)  # noqa: S603 - our own interpreter
    return done.returncode


def _read(paths: list[Path], data: Path) -> "Outcomes":
    """Those of one's own, or the public ones; what there is to say of them is said."""
    from .outcomes import Outcomes  # noqa: PLC0415 - heavy: `paretogate --help` must not pay for it
    from .recipe import shipped_outcomes  # noqa: PLC0415 - as above

    with Stages() as progress:
        progress("reading outcomes", 0, 1)
        outcomes = Outcomes.read(paths) if paths else shipped_outcomes(data)
        progress("reading outcomes", 1, 1)
    for remark in outcomes.remarks:
        typer.echo(printable(f"note: {remark}"), err=True)
    return outcomes


def _fit(
    outcomes: "Outcomes", paths: list[Path], *, encoder: str, encoder_key: str | None, seed: int
) -> "FittedPredictor":
    # loads much more than reading does: a misspelt name is told of before that
    from .recipe.predictor import fit_predictor  # noqa: PLC0415 - as above

    with Stages() as progress:
        return fit_predictor(
            outcomes, paths=paths, encoder=encoder, encoder_key=encoder_key, seed=seed, progress=progress
        )


def _compare(model: "QualityModel") -> None:
    """Say whether this is the shipped model, file by file; exit 1 where it is not."""
    from .recipe.comparison import same_as_shipped  # noqa: PLC0415 - as above

    same = same_as_shipped(model)
    for name, equal in same.items():
        typer.echo(f"{name}: {'the same' if equal else 'DIFFERS'}")
    if not all(same.values()):
        typer.echo(
            "error: the shipped model is not what this data, catalog and these libraries make (versions: its manifest; "
            "processors without AVX2 and FMA round otherwise)",
            err=True,
        )
        raise typer.Exit(1)


def _told(model: "QualityModel", out: Path) -> str:
    """What was made, and what it is worth."""
    manifest, held_out = model.manifest, model.manifest["held_out"]
    choice, single = held_out.get("score_of_choice"), held_out.get("score_of_best_single")
    routed = "" if choice is None else f"; choosing by it scores {choice}, the best single model {single}"
    told = (
        f"{model.version}: {manifest['n_outcomes']:,} outcomes of {len(model.models)} models "
        f"on {manifest['n_prompts']:,} prompts, written to {out}\n"
        f"on held-out questions: Brier score {held_out['brier']} (model means {held_out['brier_of_model_means']}), "
        f"calibration error {held_out['calibration_error']}{routed}"
    )
    return f"{told}\n{_told_of_lengths(manifest['lengths'])}" if "lengths" in manifest else told


def _told_of_lengths(report: Mapping[str, float] | None) -> str:
    if report is None:
        return "answer lengths: those of the shipped predictor, since fewer than 100 prompts have output_tokens"
    off, of_mean = (math.exp(report[f"held_out_rmse_log{of}"]) for of in ("", "_of_the_mean"))
    return (
        f"answer lengths, of {report['n_prompts']:,.0f} prompts: on held-out questions off by a factor of {off:.2f} "
        f"(the mean length {of_mean:.2f})"
    )
