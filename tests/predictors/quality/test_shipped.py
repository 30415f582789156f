"""The shipped quality model with the shipped catalog: what any user would check first."""

import functools
from pathlib import Path

import numpy as np
import pytest

import predictors
from catalog.registry import Catalog
from predictors.encoders import open_encoder
from predictors.features import Features
from predictors.quality import QualityModel

HARD_MATHS = (
    "Find the number of ordered pairs $(a,b)$ of integers with $a^2+b^2 \\le 2024$ and $\\gcd(a,b)=1$.",
    "Let $p$ be an odd prime. Find all integer polynomials $f$ such that $f(n)$ divides $n^p - n$ for all $n$.",
    "Compute $\\sum_{k=1}^{100} \\binom{100}{k} k^3$ and prove your answer.",
)
EASY = ("What is the capital of France?", "A shop sells 3 apples for $2. How much do 12 apples cost?")
STRONG, SMALL_CLOUD, OLD_7B, TINY = (
    "openai/gpt-5",
    "openai/gpt-4o-mini",
    "mistralai/mistral-7b-instruct-v0.1",
    "huggingfacetb/smollm2-135m-instruct",
)


@functools.cache
def shipped() -> tuple[QualityModel, Features, Catalog]:
    model = QualityModel.load()
    return model, Features.named(model.features_name, open_encoder("static")), Catalog.load()


def estimate(text: str, *names: str) -> tuple[np.ndarray, np.ndarray, float]:
    model, features, catalog = shipped()
    return model.bind([catalog.resolve(name) for name in names]).estimate(features.extract([text])[0])


@pytest.mark.parametrize("prompt", HARD_MATHS)
@pytest.mark.parametrize("strong", [STRONG, "anthropic/claude-opus-4"])
def test_on_hard_maths_the_generations_keep_their_order(prompt: str, strong: str) -> None:
    mean, _, _ = estimate(prompt, strong, SMALL_CLOUD, OLD_7B, TINY)
    assert mean[0] > mean[1] > mean[2] > mean[3]
    assert mean[0] - mean[3] > 0.3


def test_differences_shrink_on_easy_prompts() -> None:
    def spread(prompts: tuple[str, ...]) -> float:
        return float(np.mean([np.subtract(*estimate(p, STRONG, SMALL_CLOUD)[0]) for p in prompts]))

    assert spread(EASY) < 0.5 * spread(HARD_MATHS)


def test_a_strong_model_is_all_but_certain_of_a_school_sum() -> None:
    mean, se, familiarity = estimate(EASY[1], STRONG, TINY)
    assert mean[0] > 0.95
    assert mean[1] < 0.6
    assert se[0] < 0.02
    assert familiarity > 0.9


def test_an_unfamiliar_prompt_widens_the_error() -> None:
    _, familiar_se, familiar = estimate(EASY[1], SMALL_CLOUD)
    _, strange_se, strange = estimate("zxq " * 40 + "安 ٣ ۞ ⍼", SMALL_CLOUD)
    assert strange < familiar
    assert strange_se[0] > 3 * familiar_se[0]


def test_every_model_of_the_catalog_can_be_bound() -> None:
    model, features, catalog = shipped()
    mean, se, _ = model.bind(list(catalog)).estimate(features.extract(["Write a sonnet."])[0])
    assert mean.shape == (len(catalog),)
    assert ((mean > 0) & (mean < 1)).all()
    assert ((se > 0) & (se < 0.5)).all()


def test_it_was_fitted_on_the_features_that_are_shipped_and_says_from_what() -> None:
    model, features, _ = shipped()
    assert model.features_name == features.name
    assert set(model.manifest["trained_on"]) == {"arena_bench_v1", "llmrouter", "mmlu_pro", "routellm", "zeroeval"}
    assert model.manifest["held_out"]["calibration_error"] < 0.03


def test_it_is_small_and_its_card_is_beside_it() -> None:
    folder = Path(predictors.__file__).parent / "data" / "default"
    assert (folder / "arrays.npz").stat().st_size < 8_000_000
    assert "Apache-2.0" in (folder / "MODEL_CARD.md").read_text(encoding="utf-8")


CODE = (
    "Write a Python function that reverses a string.",
    "Write a SQL query that returns the ten customers with the highest total order amount.",
    "Implement a lock-free multi-producer multi-consumer queue in C++20 with hazard pointers.",
    "Our Django service deadlocks under load: two transactions update accounts in different order. Rewrite it.",
)
KNOWLEDGE = (
    "Explain the difference between a void and a voidable contract.",
    "A 58-year-old man presents with crushing chest pain and a blood pressure of 85/50. What is the next best step?",
    "Who wrote The Master and Margarita?",
    "Explain the mechanism by which SGLT2 inhibitors reduce heart failure hospitalisations.",
)

# (better, worse): apart in their makers' own HumanEval and MMLU, by what stands behind each; both numbers in percent.
BEYOND_DISPUTE = [
    ("openai/gpt-4o", "openai/gpt-4o-mini"),  # 90 and 87; 89 and 82
    ("openai/gpt-4o", "openai/gpt-3.5-turbo"),  # 90 and 68; 89 and 70
    ("openai/gpt-4o-mini", "mistralai/mixtral-8x7b-instruct-v0.1"),  # 87 and 40; 82 and 71
    ("anthropic/claude-3.5-sonnet", "anthropic/claude-3-haiku"),  # 94 and 76; 89 and 75
    ("meta-llama/llama-3.1-405b-instruct", "meta-llama/llama-3.1-8b-instruct"),  # 89 and 73; 87 and 69
    ("meta-llama/llama-3.3-70b-instruct", "mistralai/mixtral-8x7b-instruct-v0.1"),  # 88 and 40; 86 and 71
    ("meta-llama/llama-3.2-3b-instruct", "meta-llama/llama-2-7b"),  # MMLU 63 and 46
    ("mistralai/mistral-large-2407", "mistralai/mixtral-8x7b-instruct-v0.1"),  # 92 and 40; 84 and 71
    ("qwen/qwen2.5-72b-instruct", "mistralai/mistral-7b-instruct-v0.1"),  # 87 and 30; 86 and 55
]


@pytest.mark.parametrize("prompts", [CODE, KNOWLEDGE], ids=["code", "knowledge"])
@pytest.mark.parametrize(("better", "worse"), BEYOND_DISPUTE)
def test_models_of_which_published_scores_leave_no_doubt_are_in_that_order(
    better: str, worse: str, prompts: tuple[str, ...]
) -> None:
    leads = [float(np.subtract(*estimate(prompt, better, worse)[0])) for prompt in prompts]
    assert np.mean(leads) > 0


def test_a_model_is_less_sure_of_what_it_was_never_tried_on() -> None:
    tried_on_sums = "openai/gpt-4o-20240806"
    sums, code = estimate(EASY[1], tried_on_sums), estimate(CODE[0], tried_on_sums)

    def logit_se(found: tuple[np.ndarray, np.ndarray, float]) -> float:
        mean, se, _ = found
        return float(se[0] / (mean[0] * (1 - mean[0])))

    assert logit_se(code) > 1.5 * logit_se(sums)
