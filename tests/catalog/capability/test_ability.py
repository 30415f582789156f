from datetime import date, timedelta

import numpy as np
import pytest

from catalog import Ability
from catalog.capability.ability import AbilityModel, Score, estimate_abilities


def simulated(
    *, n_models: int = 60, n_benchmarks: int = 12, keep: float = 0.6, seed: int = 0
) -> tuple[list[Score], np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.normal(0, 1.2, n_models)
    level, loading = rng.normal(0, 1, n_benchmarks), rng.uniform(0.5, 1.5, n_benchmarks)
    scores = []
    for i in range(n_models):
        for b in range(n_benchmarks):
            if rng.random() < keep:
                share = 1 / (1 + np.exp(-(level[b] + loading[b] * truth[i] + rng.normal(0, 0.25))))
                scores.append(Score(model=f"m{i:02}", benchmark=f"b{b}", score=rng.binomial(500, share) / 500, n=500))
    return scores, truth


def test_abilities_are_recovered_from_sparse_scores_on_different_scales() -> None:
    scores, truth = simulated()
    found = estimate_abilities(scores)
    told = np.array([found[f"m{i:02}"]["general"].mean for i in range(len(truth))])
    assert np.corrcoef(told, truth)[0, 1] > 0.97


def test_the_standard_error_is_honest() -> None:
    scores, truth = simulated(n_models=200, seed=3)
    found = estimate_abilities(scores)
    told = np.array([found[f"m{i:02}" if i < 100 else f"m{i}"]["general"].mean for i in range(200)])
    slope, intercept = np.polyfit(told, truth, 1)  # the scale is free: align it first
    errors = (slope * told + intercept - truth) / slope
    se = np.array([found[f"m{i:02}" if i < 100 else f"m{i}"]["general"].se for i in range(200)])
    covered = float(np.mean(np.abs(errors) <= 1.64 * se))
    assert 0.8 <= covered <= 0.97  # of 90 % intervals


def test_a_model_with_fewer_scores_is_less_certain() -> None:
    scores, _ = simulated(keep=1.0)
    best = max({s.model for s in scores}, key=lambda m: sum(s.score for s in scores if s.model == m))
    few = [s for s in scores if s.model != best or s.benchmark == "b0"]
    full, sparse = estimate_abilities(scores)[best]["general"], estimate_abilities(few)[best]["general"]
    assert sparse.se > full.se
    assert (full.n_benchmarks, sparse.n_benchmarks) == (12, 1)


def test_an_excluded_benchmark_leaves_no_trace() -> None:
    scores, _ = simulated()
    without = [s for s in scores if s.benchmark != "b3"]
    assert estimate_abilities(scores, exclude=["B3"]) == estimate_abilities(without)


def test_the_order_of_scores_does_not_matter() -> None:
    scores, _ = simulated()
    assert estimate_abilities(scores) == estimate_abilities(scores[::-1])


def test_the_best_of_several_settings_counts() -> None:
    scores, _ = simulated()
    weaker = [Score(model=s.model, benchmark=s.benchmark, score=s.score / 2, n=s.n) for s in scores]
    assert estimate_abilities([*weaker, *scores]) == estimate_abilities(scores)


def test_an_axis_follows_its_own_benchmarks() -> None:
    scores, _ = simulated(keep=1.0)
    renamed = [
        Score(model=s.model, benchmark=s.benchmark.replace("b1", "gsm8k-1"), score=s.score, n=s.n) for s in scores
    ]
    lifted = [
        Score(model=s.model, benchmark=s.benchmark, score=min(s.score * 1.5, 0.99), n=s.n)
        if s.model == "m05" and "gsm8k" in s.benchmark
        else s
        for s in renamed
    ]
    found = estimate_abilities(lifted)["m05"]
    assert found["maths"].mean > found["general"].mean
    assert found["maths"].se > 0
    assert "code" not in found


def test_claims_of_the_maker_count_for_less() -> None:
    scores, _ = simulated(keep=1.0)
    lone = [s for s in scores if s.model != "m00"]
    told = Score(model="m00", benchmark="b0", score=0.95, n=500)
    claimed = Score(model="m00", benchmark="b0", score=0.95, n=500, self_reported=True)
    sure, unsure = (estimate_abilities([*lone, s])["m00"]["general"] for s in (told, claimed))
    assert abs(unsure.mean) < abs(sure.mean)
    assert unsure.se > sure.se


def test_a_benchmark_of_few_models_places_nobody() -> None:
    scores = [Score(model=f"m{i}", benchmark="rare", score=0.5) for i in range(9)]
    assert estimate_abilities(scores) == {}


@pytest.mark.parametrize("score", [0.0, 1.0])
def test_a_perfect_or_empty_score_stays_finite(score: float) -> None:
    scores, _ = simulated()
    found = AbilityModel().fit([*scores, Score(model="edge", benchmark="b0", score=score)]).abilities()
    assert np.isfinite(found["edge"]["general"].mean)


def test_a_hard_new_test_does_not_make_the_newest_models_look_weak() -> None:
    rng = np.random.default_rng(1)
    released = {f"m{i:02}": date(2022, 1, 1) + timedelta(days=20 * i) for i in range(80)}
    truth = {name: 0.04 * i - 1.6 + rng.normal(0, 0.3) for i, name in enumerate(released)}  # abler every month

    def result(model: str, benchmark: str, hardness: float) -> Score:
        share = 1 / (1 + np.exp(-(truth[model] - hardness + rng.normal(0, 0.2))))
        return Score(model=model, benchmark=benchmark, score=share, n=500)

    names = sorted(released)
    scores = [result(m, f"old{b}", 0.0) for m in names[:60] for b in range(6)]
    scores += [result(m, "bridge", 0.5) for m in names[50:62]]  # few took both the old and the new
    scores += [result(m, f"new{b}", 3.0) for m in names[60:] for b in range(3)]
    blind = estimate_abilities(scores)
    dated = estimate_abilities(scores, released=released)

    def gap(found: dict[str, dict[str, Ability]]) -> float:
        old, new = (np.mean([found[m]["general"].mean for m in part]) for part in (names[40:60], names[62:]))
        return float(new - old)

    true = float(np.mean([truth[m] for m in names[62:]]) - np.mean([truth[m] for m in names[40:60]]))
    assert gap(blind) < 0.3 * true
    assert gap(dated) > 0.6 * true


def test_the_error_holds_how_well_the_benchmarks_are_known() -> None:
    rng = np.random.default_rng(2)
    known = [f"m{i:02}" for i in range(40)]
    truth = {m: rng.normal() for m in known} | {f"n{i}": rng.normal() for i in range(10)}
    scores = [
        Score(model=m, benchmark=f"b{b}", score=1 / (1 + np.exp(-truth[m] - rng.normal(0, 0.1))), n=2000)
        for m in known
        for b in range(5)
    ]
    apart = [  # ten models that share no benchmark with the others: their level could be any
        Score(model=f"n{i}", benchmark=f"c{b}", score=1 / (1 + np.exp(-truth[f"n{i}"])), n=2000)
        for i in range(10)
        for b in range(5)
    ]
    found = estimate_abilities([*scores, *apart])
    assert found["n0"]["general"].se > 1.5 * found["m00"]["general"].se
