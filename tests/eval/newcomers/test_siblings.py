import math

import numpy as np
import pytest

from catalog import Ability, ModelProfile
from eval.newcomers.benchmark import Benchmark
from eval.newcomers.sibling_laws import LAWS, Sized, published_capacity
from eval.newcomers.siblings import ability_errors, score_errors
from predictors.quality.protocol import TrainingSet

POWER = 0.3526596
SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)


def sized(size: float, level: float) -> Sized:
    return Sized(name="star", size_b=size, flops=2e9 * size, level=level)


def lawful(level: float) -> list[Sized]:
    return [sized(size, level - 3.0 * size**-POWER) for size in SIZES]


def test_the_pooled_slope_gives_lawful_levels_back() -> None:
    told = LAWS["one sibling, pooled slope"](sized(64.0, math.nan), [sized(8.0, 1.0)], [lawful(0.0), lawful(2.0)])
    assert told == pytest.approx(1.0 + 3.0 * (8.0**-POWER - 64.0**-POWER))


def test_the_same_capacity_gains_alike_with_every_doubling() -> None:
    doubling = [[sized(size, 0.5 * math.log2(size)) for size in SIZES]]
    told = LAWS["same capacity"](sized(64.0, math.nan), [sized(8.0, 1.0)], doubling)
    assert told == pytest.approx(1.0 + 3 * 0.5)


def test_the_same_density_closes_the_same_share_of_the_gap() -> None:
    gaps = [[sized(size, 2.0 - gap * size**-0.3) for size in SIZES] for gap in (3.0, 4.0)]
    told = LAWS["same density"](sized(64.0, math.nan), [sized(8.0, 0.0)], gaps)
    assert told == pytest.approx(2.0 - 2.0 * 8.0**-0.3, abs=0.15)


def test_capacities_are_the_published_ones() -> None:
    assert published_capacity("llama-3.1-8b-instruct") == pytest.approx(0.1758)
    assert published_capacity("acme-7b") == 0.2


def test_a_catalog_that_follows_the_law_is_forecast_without_error_and_its_mean_is_not() -> None:
    profiles = [
        ModelProfile(
            id=f"{owner}/star-{size:g}b",
            name="x",
            params_total_b=size,
            ability={"general": Ability(mean=level - 3.0 * size**-POWER, se=0.1, n_benchmarks=9)},
        )
        for owner, level in (("a", 0.0), ("b", 1.0))
        for size in SIZES
    ]
    found = ability_errors(profiles)
    assert found.n_models == 12
    assert found.misses["shipped"].max() < 1e-9
    assert found.misses["one sibling, pooled slope"].max() < 1e-9
    assert found.misses["mean of its siblings"].mean() > 0.3
    assert found.covered == {68: 1.0, 90: 1.0}


def test_scores_of_models_left_out_are_forecast_from_their_siblings_alone(benchmark: Benchmark) -> None:
    found = score_errors(benchmark)
    assert found.n_models == 8
    assert found.misses["by difficulty"].mean() < 0.1
    assert found.misses["one sibling, pooled slope"].mean() < 0.5 * found.misses["mean of its siblings"].mean()


@pytest.fixture
def benchmark() -> Benchmark:
    """Two series of four sizes on 400 questions of ten options whose difficulty spreads evenly."""
    rng = np.random.default_rng(0)
    profiles = [
        ModelProfile(id=f"{owner}/star-{size:g}b", name="x", params_total_b=size)
        for owner in ("a", "b")
        for size in (2.0, 4.0, 16.0, 32.0)
    ]
    level = np.array([(1.0 if p.owner == "a" else 1.8) - 3.0 * (p.params_total_b or 1.0) ** -POWER for p in profiles])
    hard = rng.uniform(-2.0, 2.0, 400)
    chance = 0.1 + 0.9 / (1.0 + np.exp(hard[:, None] - level))  # (n_prompts, n_models)
    training = TrainingSet(
        features=np.zeros((400, 1)),
        score=(rng.random(chance.shape) < chance).astype(np.float64),
        models=tuple(p.id for p in profiles),
        domain=np.zeros(400, dtype=np.intp),
        group=np.arange(400),
        profile_features=np.zeros((8, 3)),
    )
    return Benchmark(
        name="exam",
        training=training,
        profiles=tuple(profiles),
        known=np.column_stack([level, np.zeros((8, 2))]),
        general_se=np.full(8, 0.1),
    )
