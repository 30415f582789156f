"""Where new models are placed, on a made-up table whose models differ in strength alone."""

from datetime import date

import numpy as np

from catalog import ModelProfile
from eval.newcomers.benchmark import Benchmark
from eval.newcomers.placement import place
from predictors.quality.placement.factorization import LogisticFactorization
from predictors.quality.protocol import TrainingSet

N_PROMPTS, N_MODELS = 240, 12


def a_benchmark() -> Benchmark:
    """Ability tells strength to the letter; a prompt's first feature tells its ease."""
    rng = np.random.default_rng(0)
    ability = np.linspace(-1.5, 1.5, N_MODELS)
    features = rng.normal(0, 0.2, (N_PROMPTS, 300))
    features[:, 0] = rng.normal(0, 1, N_PROMPTS)
    chance = 1 / (1 + np.exp(-(ability + features[:, :1])))
    profiles = tuple(
        ModelProfile(id=f"maker{i % 4}/m{i}", name=f"m{i}", released=date(2024, 1 + i, 1)) for i in range(N_MODELS)
    )
    training = TrainingSet(
        features=features,
        score=(rng.random((N_PROMPTS, N_MODELS)) < chance).astype(np.float64),
        models=tuple(profile.id for profile in profiles),
        domain=np.array(["sums", "law"] * (N_PROMPTS // 2)),
        group=np.array([f"{i:016x}" for i in range(N_PROMPTS)]),
        profile_features=ability[:, None] / ability.std(),
    )
    return Benchmark(
        name="made up", training=training, profiles=profiles, known=ability[:, None], general_se=np.zeros(N_MODELS)
    )


def test_the_prompts_that_tell_what_places_are_worth_are_learned_from_too() -> None:
    benchmark = a_benchmark()
    training = benchmark.training
    new = np.arange(N_MODELS) % 3 == 0
    learn = np.arange(N_PROMPTS) < N_PROMPTS // 2
    placed = place(benchmark, known=~new, new=new, learn=learn)
    whole = LogisticFactorization(n_traits=6, max_iterations=60, seed=0).fit(
        TrainingSet(
            features=training.features[learn],
            score=training.score[learn][:, ~new],
            models=tuple(model for model, out in zip(training.models, new, strict=True) if not out),
            domain=training.domain[learn],
            group=training.group[learn],
            profile_features=np.asarray(training.profile_features)[~new],
        )
    )
    side = whole.basis.transform(training.features) @ whole.weights_
    of_prompt = placed.prompt_side[0, 0] / side[0, 0]
    np.testing.assert_allclose(placed.prompt_side, of_prompt * side, rtol=1e-9, atol=1e-12)


def test_an_able_newcomer_is_expected_to_do_better_than_a_weak_one() -> None:
    benchmark = a_benchmark()
    new = np.isin(np.arange(N_MODELS), (1, 10))
    learn = np.arange(N_PROMPTS) < N_PROMPTS // 2
    weak, able = place(benchmark, known=~new, new=new, learn=learn).expected(~learn).mean(axis=0)
    assert weak + 0.2 < able
