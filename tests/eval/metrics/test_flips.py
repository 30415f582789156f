import numpy as np
import pytest

from eval.metrics import backward_trust, negative_flips, negative_flips_multiple_choice

TRUTH, OLD, NEW = (np.array(list(answers)) for answers in ("ABCDA", "ABADC", "ACBDA"))


def test_flips_of_the_oracle_answers() -> None:
    assert negative_flips(old_correct=OLD == TRUTH, new_correct=NEW == TRUTH) == pytest.approx(0.2)
    assert negative_flips_multiple_choice(truth=TRUTH, old=OLD, new=NEW) == pytest.approx(0.4)
    assert negative_flips(old_correct=NEW == TRUTH, new_correct=OLD == TRUTH) == pytest.approx(0.2)  # positive flips


def test_backward_trust_is_one_less_the_flips_among_the_once_right() -> None:
    old, new = OLD == TRUTH, NEW == TRUTH
    assert backward_trust(old_correct=old, new_correct=new) == pytest.approx(1 - 0.2 / old.mean())


def test_nothing_right_before_leaves_trust_undefined() -> None:
    assert np.isnan(backward_trust(old_correct=np.zeros(3, bool), new_correct=np.ones(3, bool)))
