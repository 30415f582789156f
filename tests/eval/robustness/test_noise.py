import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.contenders.contender import LearnedContender
from eval.contenders.learners import TfidfRidge
from eval.outcomes.folds import Folds
from eval.robustness.noise import PERTURBATIONS, flip_rates
from router import RoutingOptions
from tests.eval.replay.test_replay import Lengths
from tests.eval.tables import specialists


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("first letter's case", "What is it?", "what is it?"),
        ("white space", "a\nb", "  a\n\nb \n"),
        ("small letters", "What is IT?", "what is it?"),
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


@pytest.mark.parametrize(
    ("kind", "slips"),
    [
        ("missing letter", {"a teorem b", "a thorem b", "a therem b", "a theoem b"}),
        ("doubled letter", {"a thheorem b", "a theeorem b", "a theoorem b", "a theorrem b"}),
        ("wrong key", {"a tjeorem b", "a throrem b", "a theprem b", "a theotem b"}),
    ],
)
def test_each_slip_is_made_at_one_letter_inside_a_longer_word(kind: str, slips: set[str]) -> None:
    assert {PERTURBATIONS[kind]("a theorem b", np.random.default_rng(seed)) for seed in range(60)} == slips


def test_a_layout_changes_marks_and_separators_and_no_words() -> None:
    prompt = "Question: which gas?\nA. argon\nB. neon\nC. radon"
    laid_out = {PERTURBATIONS["layout"](prompt, np.random.default_rng(seed)) for seed in range(20)}
    assert len(laid_out) > 10
    for text in laid_out:
        words = [word for word in re.findall(r"[A-Za-z]+", text.lower()) if len(word) > 3 and word != "viii"]
        assert [word for word in words if word != "sep"] == ["question", "which", "argon", "neon", "radon"]


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
