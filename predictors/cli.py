"""`paretogate train`: parse, call one public function, print."""

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from catalog import ModelProfile, ParetoGateError, printable

from .arithmetic import settings_of_common_arithmetic
from .cli_options import DataFolder, EncoderKey, EncoderName, data_folder
from .length.model import LENGTH_FILE
from .stages import told_in_lines

if TYPE_CHECKING:
    from rich.progress import TaskID

    from .length.model import LengthPredictor
    from .outcomes import Outcomes
    from .own_prices import OwnPrices
    from .quality.model import QualityModel
    from .recipe import Progress
    from .trained_questions import TrainedQuestions

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
        reader = _Reader(encoder, encoder_key)
        raise typer.Exit(_train_shipped(out, folder, settings, reader, seed=seed, as_json=as_json))
    try:
        model, lengths, prices, questions = _fit(
            outcomes or [], folder, seed, _Reader(encoder, encoder_key), hold_out=hold_out
        )
        if out is None:
            _compare(model)
            return
        model.save(out)
        (out / LENGTH_FILE).unlink(missing_ok=True)  # an earlier fit's
        if lengths is not None:
            lengths.save(out)
        prices.save(out)
        questions.save(out)
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

    if "lengths" in model.manifest:
        typer.echo(_told_of_lengths(model.manifest["lengths"]))


def _train_shipped(
    out: Path | None, data: Path, settings: Mapping[str, str], reader: "_Reader", *, seed: int, as_json: bool
) -> int:
    """Train the shipped model in a process that adds up as other machines do; its exit status."""
    where = ["--check"] if out is None else ["--out", str(out)]
    options = ["--data", str(data), "--encoder", reader.name, "--seed", str(seed), *(["--json"] if as_json else [])]
    command = [sys.executable, "-c", "import typer; from predictors.cli import train; typer.run(train)"]
    environ = {**os.environ, **settings}
    if reader.key:
        environ["PARETOGATE_ENCODER_KEY"] = reader.key  # arguments of a process are for all to see
    done = subprocess.run([*command, *where, *options], env=environ, check=False)  # noqa: S603 - our own interpreter
    return done.returncode


def _told_of_lengths(report: Mapping[str, float] | None) -> str:
    if report is None:
        return "answer lengths: those of the shipped predictor, since fewer than 100 prompts have output_tokens"
    off, of_mean = (math.exp(report[f"held_out_rmse_log{of}"]) for of in ("", "_of_the_mean"))
    return (
        f"answer lengths, of {report['n_prompts']:,.0f} prompts: on held-out questions off by a factor of {off:.2f} "
        f"(the mean length {of_mean:.2f})"
    )


def _compare(model: "QualityModel") -> None:
    """Say whether this is the shipped model, file by file; exit 1 where it is not."""
    shipped = Path(str(files("predictors") / "data" / "default"))
    with TemporaryDirectory() as folder:
        model.save(Path(folder))
        made = sorted(path.name for path in Path(folder).iterdir())
        same = {name: _content_of(Path(folder) / name) == _content_of(shipped / name) for name in made}
    for name, equal in same.items():
        typer.echo(f"{name}: {'the same' if equal else 'DIFFERS'}")
    if not all(same.values()):
        typer.echo(
            "error: the shipped model is not what this data, catalog and these libraries make (versions: its manifest; "
            "processors without AVX2 and FMA round otherwise)",
            err=True,
        )
        raise typer.Exit(1)


def _content_of(path: Path) -> object:
    """What a file says bit for bit, however zlib packs it here: the arrays, or all but the digest of their file."""
    import numpy as np  # noqa: PLC0415

    if not path.is_file():
        return None
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            return {name: (array.dtype.str, array.shape, array.tobytes()) for name, array in arrays.items()}
    return {key: value for key, value in json.loads(path.read_bytes()).items() if key != "arrays_sha256"}


class _Reader(NamedTuple):
    name: str
    key: str | None


class _Fitted(NamedTuple):
    quality: "QualityModel"
    lengths: "LengthPredictor | None"
    prices: "OwnPrices"
    questions: "TrainedQuestions"


def _fit(paths: list[Path], data: Path, seed: int, reader: _Reader, *, hold_out: float = 0.0) -> _Fitted:
    # the imports below are heavy: `paretogate --help` must not pay for them
    from catalog.registry import Catalog  # noqa: PLC0415

    from .encoders import open_encoder  # noqa: PLC0415
    from .features import Features  # noqa: PLC0415
    from .outcomes import Outcomes  # noqa: PLC0415
    from .profiles import profile_of_outcome  # noqa: PLC0415
    from .quality.cold_start import AbilityPrior  # noqa: PLC0415
    from .recipe import SHIPPED_DATASETS, fit_quality_model, library_versions, shipped_outcomes, single_threaded  # noqa: PLC0415
    from .trained_questions import TrainedQuestions  # noqa: PLC0415

    catalog = Catalog.load()
    with _Bar() as progress:  # apart, since what follows loads much, and a misspelt name must not wait for that
        progress("reading outcomes", 0, 1)
        given = Outcomes.read(paths) if paths else shipped_outcomes(data)
        progress("reading outcomes", 1, 1)
    for remark in given.remarks:
        typer.echo(printable(f"note: {remark}"), err=True)
    table = given.without(hold_out, seed=seed)
    trained_on: object = [str(path) for path in paths] if paths else SHIPPED_DATASETS

    def profile_of(dataset: str | None, name: str) -> ModelProfile:
        return profile_of_outcome(catalog, dataset=dataset, name=name)

    with single_threaded(), _Bar() as progress:
        progress("reading lengths and costs", 0, 1)
        lengths, prices, report = _of_answers(table if paths else None, lambda *named: profile_of(*named).id, seed)
        progress("reading lengths and costs", 1, 1)
        model = fit_quality_model(
            table,
            Features(open_encoder(reader.name, api_key=reader.key)),
            profile_of=profile_of,
            prior=AbilityPrior().fit(list(catalog)),
            seed=seed,
            ensembles=bool(paths),  # what ships is for models of which nobody has outcomes, and is to stay small
            provenance={
                "catalog": catalog.version,
                "encoder": reader.name,
                "libraries": library_versions(),
                "trained_on": trained_on,
                **({"lengths": report} if paths else {}),
            },
            progress=progress,
        )
    return _Fitted(model, lengths, prices, TrainedQuestions.of(table.table["prompt"].unique().to_list()))


def _of_answers(
    own: "Outcomes | None", model_id: Callable[[str | None, str], str], seed: int
) -> "tuple[LengthPredictor | None, OwnPrices, Mapping[str, float] | None]":
    """Lengths, prices, and what the lengths are worth: of one's own outcomes; the shipped ones are made elsewhere."""
    from .encoders import open_encoder  # noqa: PLC0415
    from .features import Features  # noqa: PLC0415
    from .length.fit import own_lengths  # noqa: PLC0415
    from .length.model import LengthPredictor  # noqa: PLC0415
    from .own_prices import OwnPrices  # noqa: PLC0415

    if own is None:
        return None, OwnPrices(), None
    static = open_encoder("static")
    told = own_lengths(own, Features(static), model_id=model_id, seed=seed)
    expected = told[0] if told is not None else LengthPredictor.load()
    features = Features.named(expected.feature_name_, static)
    prices = OwnPrices.fit(own, model_id=model_id, lengths=expected, features=features)
    return (None, prices, None) if told is None else (told[0], prices, told[1])


class _Bar:
    """On stderr: a progress bar for each thing that is done, or its name where nobody watches a terminal."""

    def __enter__(self) -> "Progress":
        from rich.console import Console  # noqa: PLC0415
        from rich.progress import Progress as Bar  # noqa: PLC0415

        console = Console(stderr=True)
        self._bar = Bar(console=console, disable=not console.is_interactive)
        self._tasks: dict[str, TaskID] = {}
        self._bar.start()
        return self._tell if console.is_interactive else told_in_lines()

    def __exit__(self, *_exc: object) -> None:
        self._bar.stop()

    def _tell(self, what: str, done: int, of: int) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._bar.add_task(what, total=of)
        self._bar.update(self._tasks[what], completed=done)
