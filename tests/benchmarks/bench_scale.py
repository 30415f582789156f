# ruff: noqa: T201 - a command prints
"""What more models and more remembered outcomes cost: `python -m tests.benchmarks.bench_scale [--svg FOLDER]`.

A whole decision is encoding, forecasting, constraining and choosing for a 200-token prompt. Outcomes are of 20 models;
a neighbour search answers one prompt. Training is `StackedEnsemble` and the factorization on made-up features.
"""

import argparse
import json
import resource
import sys
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np

from eval.scale_chart import scale_chart
from predictors import Query
from predictors.forecaster import Forecaster
from predictors.quality import LogisticFactorization, NearestNeighbours, StackedEnsemble, TrainingSet
from router import Router, RoutingOptions
from tests.benchmarks.bench_forecast import PROMPTS, percentiles, pool_of

MODELS = (10, 30, 100, 1_000, 3_000)
OUTCOMES = (10_000, 100_000, 1_000_000)
N_MODELS, DIM = 20, 272


def decisions() -> list[dict[str, float]]:
    """Microseconds of a whole decision by number of models; no encoding is remembered, every prompt is another."""
    forecaster, found = Forecaster.load(), []
    for n in MODELS:
        router, rng = Router(forecaster.bind(pool_of(n)), explore=0.0), np.random.default_rng(0)
        turn = iter(range(10**9))

        def decide(router: Router = router, rng: np.random.Generator = rng, turn: "object" = turn) -> object:
            query = Query(text=f"{next(turn)} {PROMPTS['200 tokens']}", input_tokens=200)  # type: ignore[call-overload]
            return router.decide(query, RoutingOptions(explore=False), rng=rng)

        p50, p99 = percentiles(decide, repeats=300)
        found.append({"models": n, "p50_us": round(p50), "p99_us": round(p99)})
    return found


def outcomes(n_outcomes: int) -> TrainingSet:
    """Twenty kinds of prompt, each with its own best models."""
    rng, n = np.random.default_rng(0), n_outcomes // N_MODELS
    kind = rng.integers(20, size=n)
    chance = rng.uniform(0.2, 0.9, size=(20, N_MODELS))
    features = rng.normal(size=(20, DIM))[kind] / DIM**0.5 + rng.normal(size=(n, DIM)) / DIM**0.5
    return TrainingSet(
        features=features,
        score=(rng.random((n, N_MODELS)) < chance[kind]).astype(np.float64),
        models=tuple(f"m{i}" for i in range(N_MODELS)),
        domain=np.array([f"made/k{k}" for k in kind]),
        group=np.arange(n).astype(np.str_),
    )


def learning(n_outcomes: int) -> dict[str, float]:
    """Seconds to fit, the process's greatest memory so far, and microseconds of one neighbour search."""
    training, row = outcomes(n_outcomes), {"outcomes": float(n_outcomes)}
    for name, make in (("ensemble", StackedEnsemble), ("factorization", LogisticFactorization)):
        started = perf_counter()
        make().fit(training)
        row[f"{name}_fit_s"] = round(perf_counter() - started, 1)
    neighbours = NearestNeighbours().fit(training)
    row["neighbours_p50_us"] = round(percentiles(partial(neighbours.predict, training.features[:1]), repeats=100)[0])
    row["peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return row


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--svg", type=Path, help="folder for the charts")
    args = parser.parse_args()
    by_models = decisions()
    by_outcomes = [learning(n) for n in OUTCOMES]
    print(json.dumps({"decision": by_models, "learning": by_outcomes}, indent=1))
    if args.svg:
        lines = {p: [(r["models"], r[f"{p}_us"]) for r in by_models] for p in ("p50", "p99")}
        chart = scale_chart("A whole decision", lines, x_label="models in the pool", y_label="microseconds")
        (args.svg / "scale-models.svg").write_text(chart, encoding="utf-8")
        named = {"ensemble": "ensemble_fit_s", "factorization": "factorization_fit_s"}
        fits = {name: [(r["outcomes"], max(r[key], 0.1)) for r in by_outcomes] for name, key in named.items()}
        chart = scale_chart("Training", fits, x_label="outcomes (20 models)", y_label="seconds")
        (args.svg / "scale-outcomes.svg").write_text(chart, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
