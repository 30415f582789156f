# ruff: noqa: T201 - a command prints
"""What more models and more remembered outcomes cost: `python -m tests.benchmarks.bench_scale PART... [--svg FOLDER]`.

`decisions`: a whole decision (encode, forecast, constrain, front, choose) for a 200-token prompt against the number of
models. `encoders`: the same over 30 models, by encoder. `learning`: training on made-up
outcomes of 20 models, each size in a process of its own so that its memory is its own, and one neighbour search.
"""

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np

from catalog import ModelProfile
from catalog.registry import Catalog
from eval.charts.growth import scale_chart
from predictors import Query
from predictors.encoders import open_encoder
from predictors.features import Features
from predictors.forecaster import Forecaster
from predictors.length.model import LengthPredictor
from predictors.outcomes import Outcomes
from predictors.quality import LogisticFactorization, NearestNeighbours, QualityModel, StackedEnsemble, TrainingSet
from predictors.quality.placement.cold_start import AbilityPrior
from predictors.recipe import fit_quality_model
from router import Router, RoutingOptions
from tests.benchmarks.bench_forecast import PROMPTS, percentiles, pool_of

MODELS = (10, 30, 100, 1_000, 3_000)
OUTCOMES = (10_000, 100_000, 1_000_000)
ENCODERS = ("static", "minilm", "minilm-exact", "joint")
N_MODELS, DIM = 20, 271
WORDS = PROMPTS["200 tokens"].split()


def whole_decision(forecaster: Forecaster, n: int) -> Callable[[], object]:
    """Decides about another prompt at each call, so that no encoding is remembered: the same words, shuffled."""
    router, rng = Router(forecaster.bind(pool_of(n)), explore=0.0), np.random.default_rng(0)
    options = RoutingOptions(explore=False)

    def decide() -> object:
        query = Query(text=" ".join(rng.permutation(WORDS)), input_tokens=200)
        return router.decide(query, options, rng=rng)

    return decide


def shuffling() -> float:
    """Microseconds that making such a prompt takes, to be taken off."""
    rng = np.random.default_rng(0)
    return percentiles(lambda: " ".join(rng.permutation(WORDS)), repeats=300)[0]


def decisions() -> list[dict[str, float]]:
    """Microseconds of a whole decision by number of models."""
    forecaster, found, made = Forecaster.load(), [], shuffling()
    for n in MODELS:
        p50, p99 = percentiles(whole_decision(forecaster, n), repeats=500)
        found.append({"models": n, "p50_us": round(p50 - made), "p99_us": round(p99 - made)})
    return found


def encoders() -> list[dict[str, object]]:
    """Microseconds of a whole decision over 30 models by encoder."""
    found: list[dict[str, object]] = []
    made = shuffling()
    for name in ENCODERS:
        features, length = Features(open_encoder(name)), LengthPredictor.load()
        forecaster = Forecaster(
            features=features,
            quality=small_model(features),
            length=length,
            length_features=Features.named(length.feature_name_, open_encoder("static")),
        )
        p50, p99 = percentiles(whole_decision(forecaster, 30), repeats=300)
        found.append({"encoder": name, "p50_us": round(p50 - made), "p99_us": round(p99 - made)})
    return found


def small_model(features: Features) -> QualityModel:
    """A quality model that costs about as much to ask as the shipped one, fitted to made-up sums."""
    lines = [f"What is {i} + {i}?,{model},{(i + len(model)) % 2}" for i in range(200) for model in ("a", "bb")]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "made-up.csv"
        path.write_text("\n".join(["prompt,model,score", *lines]), encoding="utf-8")
        return fit_quality_model(
            Outcomes.read([path]),
            features,
            profile_of=lambda _set, name: ModelProfile(id=f"bench/{name}", name=name),
            prior=AbilityPrior().fit(list(Catalog.load())),
        )


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


LEARNERS = {"ensemble": StackedEnsemble, "factorization": LogisticFactorization, "neighbours": NearestNeighbours}


def learn(name: str, n_outcomes: int) -> dict[str, float]:
    """Seconds to fit, the process's greatest memory, and microseconds of one prediction."""
    training = outcomes(n_outcomes)
    started = perf_counter()
    fitted = LEARNERS[name]().fit(training)
    took = perf_counter() - started
    peak_mb = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    p50 = round(percentiles(partial(fitted.predict, training.features[:1]), repeats=100)[0])
    return {"outcomes": n_outcomes, "fit_s": round(took, 2), "peak_mb": peak_mb, "predict_p50_us": p50}


def learning() -> dict[str, list[dict[str, float]]]:
    """Every learner at every size, each in a process of its own."""

    def alone(name: str, n: int) -> dict[str, float]:
        command = [sys.executable, "-m", "tests.benchmarks.bench_scale", "learn", name, str(n)]
        row: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        return row

    return {name: [alone(name, n) for n in OUTCOMES] for name in LEARNERS}


def draw(folder: Path, found: dict[str, object]) -> None:
    """The charts of what was measured."""
    if rows := found.get("decisions"):
        lines = {p: [(r["models"], r[f"{p}_us"]) for r in rows] for p in ("p50", "p99")}  # type: ignore[attr-defined]
        chart = scale_chart("A whole decision", lines, x_label="models in the pool", y_label="microseconds")
        (folder / "scale-models.svg").write_text(chart, encoding="utf-8")
    if learned := found.get("learning"):
        for key, title, unit in (
            ("fit_s", "Training", "seconds"),
            ("peak_mb", "Memory while training", "megabytes"),
            ("predict_p50_us", "One prediction", "microseconds"),
        ):
            lines = {n: [(r["outcomes"], max(r[key], 0.01)) for r in rows] for n, rows in learned.items()}  # type: ignore[attr-defined]
            chart = scale_chart(title, lines, x_label="remembered outcomes (20 models)", y_label=unit)
            (folder / f"scale-{key.split('_')[0]}.svg").write_text(chart, encoding="utf-8")


PARTS: dict[str, Callable[[], object]] = {"decisions": decisions, "encoders": encoders, "learning": learning}


def main(argv: list[str]) -> int:
    if argv[:1] == ["learn"]:
        print(json.dumps(learn(argv[1], int(argv[2]))))
        return 0
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="+", choices=PARTS)
    parser.add_argument("--svg", type=Path, help="folder for the charts")
    args = parser.parse_args(argv)
    found = {part: PARTS[part]() for part in args.part}
    print(json.dumps(found, indent=1))
    if args.svg:
        draw(args.svg, found)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
