"""Ours beside peers: mean score of the chosen model, the same folds and the same encodings for all."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from catalog import Floats
from eval.contenders.learners import FeatureMemory, PredictorLearner
from eval.contenders.references import best_single, oracle, random_choice
from eval.intervals import GroupBootstrap, Interval
from eval.outcomes.folds import Folds
from eval.outcomes.table import Ints, ReplayTable
from predictors.encoders import open_encoder
from predictors.features import Features
from predictors.quality import StackedEnsemble

from .exchange import PEERS, choices_of_peers

__all__ = ["Comparison", "Row", "compare"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One rule on all test prompts."""

    name: str
    score: float
    gain: float  # over the best single model of the training folds
    gain_interval: Interval  # 95 %, paired, over groups of prompts


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One table of outcomes."""

    table: str
    n_prompts: int
    n_models: int
    peer_version: str
    rows: tuple[Row, ...]


def compare(
    table: ReplayTable,
    *,
    python: Path,
    n_folds: int = 5,
    seed: int = 0,
    peers: tuple[str, ...] = PEERS,
    progress: Callable[[str], None] = lambda _what: None,
) -> Comparison:
    """Choose by predicted score alone, as the peers do: no rule looks at a price.

    Raises:
        PeerFailedError: a peer did not run.
    """
    features = FeatureMemory(Features(open_encoder("static")))
    chosen: dict[str, Ints] = {}
    judged = np.zeros(len(table), dtype=np.bool_)
    version = "unknown"
    rng = np.random.default_rng(seed)
    for fold, (train_rows, test_rows) in enumerate(Folds.by_group(table, n_folds=n_folds, seed=seed)):
        train, test = table.take(train_rows), table.take(test_rows)
        judged[test_rows] = True
        progress(f"{table.name}: fold {fold + 1}, ours")
        for name, choice in _own(train, test, features, rng):
            chosen.setdefault(name, np.zeros(len(table), dtype=np.int64))[test_rows] = choice
        with TemporaryDirectory() as folder:
            encodings = features.extract(train.prompt), features.extract(test.prompt)
            progress(f"{table.name}: fold {fold + 1}, {', '.join(peers)}")
            choices, version = choices_of_peers(
                peers,
                train=encodings[0],
                score=train.score,
                price=np.nanmean(train.cost_usd, axis=0),
                test=encodings[1],
                python=python,
                folder=Path(folder),
            )
        for peer, choice in choices.items():
            chosen.setdefault(f"llmrouter-lib {peer}", np.zeros(len(table), dtype=np.int64))[test_rows] = choice
    bootstrap = GroupBootstrap(table.group[judged], seed=seed)
    scores = {name: _obtained(table, choice)[judged] for name, choice in chosen.items()}
    best = scores["best single model"]
    rows = tuple(
        Row(
            name=name,
            score=float(score.mean()),
            gain=float(score.mean() - best.mean()),
            gain_interval=bootstrap.of_difference(score, best),
        )
        for name, score in scores.items()
    )
    return Comparison(
        table=table.name,
        n_prompts=int(judged.sum()),
        n_models=len(table.models),
        peer_version=version,
        rows=rows,
    )


def _own(
    train: ReplayTable, test: ReplayTable, features: FeatureMemory, rng: np.random.Generator
) -> Iterator[tuple[str, Ints]]:
    yield "random", random_choice(test, rng)
    yield "best single model", best_single(train, test)
    estimate = PredictorLearner(name="ours", make=StackedEnsemble, features=features).fit(train)
    expected = estimate(test.prompt).mean
    yield "ParetoGate", np.argmax(np.where(test.tried, expected, -np.inf), axis=1)
    yield "oracle", oracle(test)


def _obtained(table: ReplayTable, chosen: Ints) -> Floats:
    """The chosen model's score; where it was not tried, its mean over the table, since a peer cannot know that."""
    score = table.score[np.arange(len(table)), chosen]
    mean = np.nanmean(table.score, axis=0)
    return np.where(np.isnan(score), mean[chosen], score)
