"""`paretogate train`: parse, call one public function, print."""

import json
import os
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from catalog import ParetoGateError

from .cli_options import DataFolder, EncoderKey, EncoderName, data_folder

if TYPE_CHECKING:
    from rich.progress import TaskID

    from .quality.model import QualityModel
    from .recipe import Progress

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
    out: Annotated[Path | None, typer.Option(help="Folder to write the predictor to.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Make the shipped model again and compare it byte by byte; write nothing.")
    ] = False,
    data: DataFolder = None,
    encoder: EncoderName = "static",
    encoder_key: EncoderKey = None,
    seed: Annotated[int, typer.Option(help="Of the folds and of the start values.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest as JSON.")] = False,
) -> None:
    """Fit a quality predictor to outcomes and write it as arrays and a manifest."""
    folder = data_folder(data, os.environ)
    if check and (outcomes or out is not None):
        raise typer.BadParameter("--check makes the shipped model again: give neither outcomes nor --out")
    if out is None and not check:
        raise typer.BadParameter("say where to write the predictor: --out FOLDER")
    try:
        model = _fit(outcomes or [], folder, seed, _Reader(encoder, encoder_key))
        if out is None:
            _compare(model)
            return
        model.save(out)
    except (ParetoGateError, OSError) as exc:
        typer.echo(f"error: {exc}", err=True)
        raise typer.Exit(1) from exc
    if as_json:
        typer.echo(json.dumps(model.manifest, indent=2, ensure_ascii=False))
        return
    held_out = model.manifest["held_out"]
    choice, single = held_out.get("score_of_choice"), held_out.get("score_of_best_single")
    routed = "" if choice is None else f"; choosing by it scores {choice}, the best single model {single}"
    typer.echo(
        f"{model.version}: {model.manifest['n_outcomes']:,} outcomes of {len(model.models)} models "
        f"on {model.manifest['n_prompts']:,} prompts, written to {out}\n"
        f"on held-out questions: Brier score {held_out['brier']} (model means {held_out['brier_of_model_means']}), "
        f"calibration error {held_out['calibration_error']}{routed}"
    )


def _compare(model: "QualityModel") -> None:
    """Say whether this is the shipped model, file by file; exit 1 where it is not."""
    shipped = Path(str(files("predictors") / "data" / "default"))
    with TemporaryDirectory() as folder:
        model.save(Path(folder))
        made = sorted(path.name for path in Path(folder).iterdir())
        same = {name: _bytes_of(Path(folder) / name) == _bytes_of(shipped / name) for name in made}
    for name, equal in same.items():
        typer.echo(f"{name}: {'the same' if equal else 'DIFFERS'}")
    if not all(same.values()):
        typer.echo("error: the shipped model is not what this data, catalog and these libraries make", err=True)
        raise typer.Exit(1)


def _bytes_of(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


class _Reader(NamedTuple):
    name: str
    key: str | None


def _fit(paths: list[Path], data: Path, seed: int, reader: _Reader) -> "QualityModel":
    # the imports below are heavy: `paretogate --help` must not pay for them
    from catalog.registry import Catalog  # noqa: PLC0415

    from .encoders import open_encoder  # noqa: PLC0415
    from .features import Features  # noqa: PLC0415
    from .outcomes import Outcomes  # noqa: PLC0415
    from .profiles import profile_of_outcome  # noqa: PLC0415
    from .quality.cold_start import AbilityPrior  # noqa: PLC0415
    from .recipe import SHIPPED_DATASETS, fit_quality_model, library_versions, shipped_outcomes, single_threaded  # noqa: PLC0415

    catalog = Catalog.load()
    table = Outcomes.read(paths) if paths else shipped_outcomes(data)
    trained_on: object = [str(path) for path in paths] if paths else SHIPPED_DATASETS
    with single_threaded(), _Bar() as progress:
        return fit_quality_model(
            table,
            Features(open_encoder(reader.name, api_key=reader.key)),
            profile_of=lambda dataset, name: profile_of_outcome(catalog, dataset=dataset, name=name),
            prior=AbilityPrior().fit(list(catalog)),
            seed=seed,
            ensembles=bool(paths),  # what ships is for models of which nobody has outcomes, and is to stay small
            provenance={
                "catalog": catalog.version,
                "encoder": reader.name,
                "libraries": library_versions(),
                "trained_on": trained_on,
            },
            progress=progress,
        )


class _Bar:
    """A progress bar on stderr, one line per thing that is done."""

    def __enter__(self) -> "Progress":
        from rich.console import Console  # noqa: PLC0415
        from rich.progress import Progress as Bar  # noqa: PLC0415

        self._bar = Bar(console=Console(stderr=True))
        self._tasks: dict[str, TaskID] = {}
        self._bar.start()
        return self._tell

    def __exit__(self, *_exc: object) -> None:
        self._bar.stop()

    def _tell(self, what: str, done: int, of: int) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(what, total=of)
        self._bar.update(self._tasks[what], completed=done)
