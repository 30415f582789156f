import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.contenders import LearnedContender
from eval.folds import Folds
from eval.learners import TfidfRidge
from eval.noise import PERTURBATIONS, flip_rates
from router import RoutingOptions

from .tables import specialists
from .test_replay import Lengths


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("first letter's case", "What is it?", "what is it?"),
        ("white space", "a\nb", "  a\n\nb \n"),
        ("separators", "Question: x\nA. one\n(B) two", "Question - x\n(A) one\n(B) two"),
    ],
)
def test_each_kind_changes_the_look_and_not_the_words(kind: str, before: str, after: str) -> None:
    assert PERTURBATIONS[kind](before, np.random.default_rng(0)) == after


def test_a_typing_slip_swaps_two_neighbouring_letters_inside_a_longer_word() -> None:
    slipped = PERTURBATIONS["typing slip"]("a theorem b", np.random.default_rng(0))
    assert slipped != "a theorem b"
    assert sorted(slipped) == sorted("a theorem b")
    assert (slipped[2], slipped[-3]) == ("t", "m")


@given(st.text(max_size=200), st.integers(0, 99))
def test_no_prompt_is_too_odd_to_perturb(text: str, seed: int) -> None:
    for change in PERTURBATIONS.values():
        assert isinstance(change(text, np.random.default_rng(seed)), str)


def test_a_router_that_reads_words_does_not_mind_white_space() -> None:
    table = specialists(30)
    contender = LearnedContender(learner=TfidfRidge(alpha=1.0), features=Lengths())
    rates = flip_rates(
        contender,
        table,
        Folds.by_group(table, n_folds=2, seed=0),
        RoutingOptions(cost_quality_tradeoff=1, explore=False),
    )
    assert rates["white space"] == 0
    assert np.isnan(rates["separators"])  # these prompts have none
    assert 0 < rates["typing slip"] < 1  # a slip in one of three telling words may well change the choice
