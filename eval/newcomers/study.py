"""The whole study of one benchmark, as numbers that a report can print."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from catalog.compile import ABILITY_SOURCES
from catalog.importers.litellm_prices import PriceMap

from .answers import AnswerError, answer_errors
from .benchmark import EVERY_SOURCE, RELATIVES, Benchmark, read_benchmark
from .levels import LevelError, level_errors
from .probing import ProbingWorth, probing_worth
from .splits import SPLITS

__all__ = ["KNOWLEDGE", "Study", "study"]

# What abilities may have seen: the figures that ship, without the benchmark's own or without any of its kind; or every
# public figure but the benchmark's own.
KNOWLEDGE = ("shipped", "strict", "every source")


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """One benchmark's numbers."""

    name: str
    n_models: int
    n_prompts: int
    n_with_ability: int
    levels: dict[str, list[LevelError]]  # by `KNOWLEDGE`
    answers: list[AnswerError]
    probing: ProbingWorth


def study(
    name: str,
    *,
    data: Path,
    prices: PriceMap,
    partitions: int = 5,
    progress: Callable[[str], None] = lambda _what: None,
) -> Study:
    """Everything about one benchmark.

    Raises:
        UnknownDatasetError: nobody has said what this dataset's own figures are.
        MissingDataError: its files are not under `data`.
    """
    shipped = read_benchmark(name, data=data, prices=prices)
    strict = read_benchmark(name, data=data, prices=prices, exclude=RELATIVES[name], sources=ABILITY_SOURCES)
    every = read_benchmark(name, data=data, prices=prices, sources=EVERY_SOURCE)
    progress(f"{name}: mean scores")
    levels = {known: _levels(one) for known, one in zip(KNOWLEDGE, (shipped, strict, every), strict=True)}
    answers = []
    for split in SPLITS:
        progress(f"{name}: answers, {split} left out")
        answers.append(answer_errors(shipped, split))
    progress(f"{name}: probing")
    return Study(
        name=name,
        n_models=len(shipped.profiles),
        n_prompts=len(shipped.training.features),
        n_with_ability=sum("general" in profile.ability for profile in shipped.profiles),
        levels=levels,
        answers=[found for found in answers if found is not None],
        probing=probing_worth(shipped, partitions=partitions),
    )


def _levels(benchmark: Benchmark) -> list[LevelError]:
    found = [level_errors(benchmark, split) for split in SPLITS]
    return [error for error in found if error is not None]
