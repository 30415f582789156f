import numpy as np
import pytest

from predictors.tools import ToolUsage
from predictors.tools.candidates import Candidates
from predictors.tools.evidence import Evidence
from predictors.tools.second_stage import PastRequests, fit_second_stage
from predictors.tools.second_stage.co_use import CoUse
from predictors.tools.second_stage.described import directions
from predictors.tools.second_stage.starting_weights import COLD_WEIGHTS
from predictors.tools.second_stage.twins import Twins
from tests.predictors.tools.toys import WEATHER_AND_MONEY, CountedWords

NAMES = ("smoothed", "noise")
EVIDENCE = Evidence.gather(WEATHER_AND_MONEY, ToolUsage(), CountedWords())
CO_USE, TWINS = CoUse(EVIDENCE), Twins(EVIDENCE)


def made(n_queries: int, *, interaction: bool) -> tuple[Candidates, np.ndarray]:
    """Four candidates each; the needed one has the highest first feature, or the highest product of the two."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(n_queries, 4, 2)).astype(np.float32)
    score = x[:, :, 0] * x[:, :, 1] if interaction else x[:, :, 0]
    return Candidates(tool=np.tile(np.arange(4), (n_queries, 1)), features=x), score == score.max(1, keepdims=True)


def past(candidates: Candidates, relevant: np.ndarray) -> PastRequests:
    """All labels known."""
    own = [np.flatnonzero(row) for row in relevant]
    known = np.ones(relevant.shape, dtype=bool)
    return PastRequests(candidates=candidates, relevant=relevant, known=known, own=own, co_use=CO_USE)


def fitted(n_queries: int, *, interaction: bool, boosted: bool | None = None, twins: Twins | None = None):
    names = ("log_uses", "n_clauses") if interaction else NAMES  # trees may bend these either way
    candidates, relevant = made(n_queries, interaction=interaction)
    stage = fit_second_stage(past(candidates, relevant), names=names, columns=(0, 1), boosted=boosted, twins=twins)
    return stage, candidates, relevant


def test_few_requests_leave_the_published_weights_alone() -> None:
    stage, _, _ = fitted(20, interaction=False)
    assert stage.choice.chosen == "prior"
    assert stage.weights.tolist() == [COLD_WEIGHTS["smoothed"], 0.0]


def test_the_score_is_the_probability_of_being_needed() -> None:
    stage, candidates, relevant = fitted(400, interaction=False)
    probability = stage.score(candidates, CO_USE, TWINS)
    assert probability.mean() == pytest.approx(relevant.mean(), abs=0.03)
    sure = probability > 0.8
    assert relevant[sure].mean() > 0.8


def test_trees_are_believed_where_a_line_cannot_tell() -> None:
    pytest.importorskip("sklearn", reason="growing trees needs scikit-learn")
    stage, candidates, relevant = fitted(600, interaction=True)
    assert stage.trees is not None
    reached = stage.choice.cross_validated
    assert reached[stage.choice.chosen] > reached["linear"] + 0.1
    best = stage.score(candidates, CO_USE, TWINS).argmax(axis=1)
    assert (relevant[np.arange(600), best]).mean() > 0.8


def test_trees_can_be_forbidden() -> None:
    stage, _, _ = fitted(600, interaction=True, boosted=False)
    assert stage.trees is None
    assert set(stage.choice.cross_validated) == {"prior", "linear", stage.choice.chosen}
    assert "trees" not in stage.choice.chosen


@pytest.mark.parametrize("interaction", [False, True])
def test_probabilities_add_up_to_the_number_of_needed_tools(interaction: bool) -> None:
    stage, candidates, relevant = fitted(600, interaction=interaction)
    assert stage.score(candidates, CO_USE, TWINS).sum() == pytest.approx(relevant.sum(), rel=0.15)


def test_without_trees_the_starting_weights_have_a_say_beside_the_fitted_ones() -> None:
    stage, candidates, relevant = fitted(100, interaction=False)
    assert stage.trees is None
    assert stage.choice.chosen.endswith("prior")
    assert stage.score(candidates, CO_USE, TWINS).sum() == pytest.approx(relevant.sum(), rel=0.15)


def test_trees_that_are_forced_in_have_a_share_though_they_know_nothing() -> None:
    pytest.importorskip("sklearn", reason="growing trees needs scikit-learn")
    rng = np.random.default_rng(8)
    x = rng.normal(size=(200, 4, 2)).astype(np.float32)
    relevant = np.arange(4) == rng.integers(4, size=200)[:, None]
    candidates = Candidates(tool=np.tile(np.arange(4), (200, 1)), features=x)
    stage = fit_second_stage(past(candidates, relevant), names=NAMES, columns=(0, 1), boosted=True)
    assert stage.trees is not None
    assert stage.choice.chosen.endswith("trees")


def test_in_trees_of_few_requests_more_evidence_never_makes_a_tool_less_likely() -> None:
    pytest.importorskip("sklearn", reason="growing trees needs scikit-learn")
    stage, _, _ = fitted(300, interaction=False, boosted=True)
    assert stage.trees is not None
    described = np.zeros((50, 7), dtype=np.float32)  # two features and five of the first opinion, all alike
    described[:, 0] = np.linspace(-2.0, 2.0, 50)  # but "smoothed"
    rising = np.diff(stage.trees.predict(described))
    assert (rising >= 0).all()
    assert rising.max() > 0


@pytest.mark.parametrize(("n_queries", "seen"), [(399, False), (400, True)])
def test_trees_look_at_twins_where_there_are_requests_enough(n_queries: int, seen: bool) -> None:
    pytest.importorskip("sklearn", reason="growing trees needs scikit-learn")
    stage, candidates, _ = fitted(n_queries, interaction=True, boosted=True, twins=TWINS)
    assert stage.sees_twins is seen
    assert stage.score(candidates, CO_USE, TWINS).shape == candidates.tool.shape


def test_trees_that_were_told_of_no_twins_look_at_none() -> None:
    pytest.importorskip("sklearn", reason="growing trees needs scikit-learn")
    stage, _, _ = fitted(400, interaction=True, boosted=True)
    assert not stage.sees_twins


def test_ranks_count_downwards_and_counts_either_way() -> None:
    assert directions(("bm25", "dense:gap", "smoothed:rank", "cold", "log_uses")) == [1, 1, -1, 0, 0, 1, 1, -1, 1, -1]
