"""All that a predictor's folder holds, fitted to one table of outcomes: quality, answer lengths, prices, questions."""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from catalog import ModelProfile
from catalog.registry import Catalog
from predictors.encoders import open_encoder
from predictors.features import Features
from predictors.length.fit import own_lengths
from predictors.length.model import LENGTH_FILE, LengthPredictor
from predictors.outcomes import Outcomes
from predictors.own_prices import OwnPrices
from predictors.persistence import take_manifest_away
from predictors.profiles import profile_of_outcome
from predictors.quality.model import QualityModel
from predictors.quality.placement.cold_start import AbilityPrior
from predictors.trained_questions import TrainedQuestions

from .fitting import Progress, fit_quality_model
from .reproducible import library_versions, single_threaded
from .shipped import SHIPPED_DATASETS

__all__ = ["FittedPredictor", "fit_predictor"]


class FittedPredictor(NamedTuple):
    """What `save` writes into one folder."""

    quality: QualityModel
    lengths: LengthPredictor | None  # None where too few answers tell theirs: those of the shipped predictor serve
    prices: OwnPrices
    questions: TrainedQuestions

    def save(self, folder: Path) -> None:
        """Write all of it, in place of what an earlier fit left there; of two at once one waits for the other.

        The manifest is taken away first and written last: what was broken off in between is no predictor, rather than
        one with the prices of another, or without the questions that it was trained on.
        """
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder):
            take_manifest_away(folder)
            (folder / LENGTH_FILE).unlink(missing_ok=True)
            if self.lengths is not None:
                self.lengths.save(folder)
            self.prices.save(folder)
            self.questions.save(folder)
            self.quality.save(folder)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # some file systems lock no folders
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@single_threaded()
def fit_predictor(
    outcomes: Outcomes,
    *,
    paths: list[Path],
    encoder: str,
    encoder_key: str | None = None,
    seed: int,
    progress: Progress,
) -> FittedPredictor:
    """Fit to outcomes of one's own, or, where no paths are named, to those of the shipped predictor.

    Args:
        outcomes: to learn from.
        paths: where they were read from, for the manifest; none: they are the public ones.
        encoder: name of what reads prompts.
        encoder_key: of an endpoint.
        seed: of the folds and of the start values.
        progress: told what is going on.
    """
    catalog = Catalog.load()

    def profile_of(dataset: str | None, name: str) -> ModelProfile:
        return profile_of_outcome(catalog, dataset=dataset, name=name)

    progress("reading lengths and costs", 0, 1)
    lengths, prices, report = _of_answers(outcomes if paths else None, lambda *named: profile_of(*named).id, seed)
    progress("reading lengths and costs", 1, 1)
    quality = fit_quality_model(
        outcomes,
        Features(open_encoder(encoder, api_key=encoder_key)),
        profile_of=profile_of,
        prior=AbilityPrior().fit(list(catalog)),
        seed=seed,
        ensembles=bool(paths),  # what ships is for models of which nobody has outcomes, and is to stay small
        provenance={
            "catalog": catalog.version,
            "encoder": encoder,
            "libraries": library_versions(),
            "trained_on": [str(path) for path in paths] if paths else SHIPPED_DATASETS,
            **({"lengths": report} if paths else {}),
        },
        progress=progress,
    )
    questions = TrainedQuestions.of(outcomes.table["prompt"].unique().to_list())
    return FittedPredictor(quality, lengths, prices, questions)


def _of_answers(
    own: Outcomes | None, model_id: Callable[[str | None, str], str], seed: int
) -> tuple[LengthPredictor | None, OwnPrices, Mapping[str, float] | None]:
    """Lengths, prices, and what the lengths are worth: of one's own outcomes; the shipped ones are made elsewhere."""
    if own is None:
        return None, OwnPrices(), None
    static = open_encoder("static")
    told = own_lengths(own, Features(static), model_id=model_id, seed=seed)
    expected = told[0] if told is not None else LengthPredictor.load()
    features = Features.named(expected.feature_name_, static)
    prices = OwnPrices.fit(own, model_id=model_id, lengths=expected, features=features)
    return (None, prices, None) if told is None else (told[0], prices, told[1])
