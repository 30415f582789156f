import numpy as np
import pytest

from catalog import InvalidMeasurementError
from catalog.capability.canary import Canary, check_canaries, mismatches_to_reject, select_canaries, upper_tail

THIRTY = tuple(Canary(prompt=f"q{k}", answer=f"a{k}") for k in range(30))


@pytest.mark.parametrize(("at_least", "chance"), [(4, 0.0608), (5, 0.0156), (6, 0.0033)])
def test_thirty_canaries_of_a_model_that_errs_at_five_percent(at_least: int, chance: float) -> None:
    assert upper_tail(at_least, n=30, chance=0.05) == pytest.approx(chance, abs=6e-5)


def test_five_mismatches_of_thirty_reject_at_two_percent_and_four_do_not() -> None:
    assert mismatches_to_reject(30, chance=0.05, significance=0.02) == 5
    answers = [canary.answer for canary in THIRTY]
    assert not check_canaries(THIRTY, ["?"] * 4 + answers[4:]).rejected
    verdict = check_canaries(THIRTY, ["?"] * 5 + answers[5:])
    assert verdict.rejected
    assert (verdict.n, verdict.mismatches) == (30, 5)


def test_canaries_are_prompts_that_no_sibling_answers_alike() -> None:
    found = select_canaries(["p", "q", "r", "s"], ["Yes.", "no", "", "blue"], [["yes", "yes", "x", "red"]])
    assert found == (Canary(prompt="q", answer="no"), Canary(prompt="s", answer="blue"))


def test_spelling_that_sampling_changes_is_no_mismatch() -> None:
    assert check_canaries([Canary(prompt="p", answer="Blue sky.")], [" blue  sky "]).mismatches == 0


def test_a_call_that_failed_counts_for_nothing() -> None:
    assert check_canaries(THIRTY, [None] * 29 + ["a29"]).n == 1
    with pytest.raises(InvalidMeasurementError, match="cannot be judged"):
        check_canaries(THIRTY, [None] * 30)


def test_the_true_model_is_rejected_no_oftener_than_promised_and_another_nearly_always() -> None:
    rng = np.random.default_rng(3)

    def rejected(mismatch: float) -> float:
        runs = rng.random((1_000, 30)) < mismatch
        told = [
            check_canaries(THIRTY, ["?" if m else c.answer for c, m in zip(THIRTY, run, strict=True)]) for run in runs
        ]
        return sum(verdict.rejected for verdict in told) / 1_000

    assert rejected(0.05) <= 0.03
    assert rejected(0.5) >= 0.99


def test_nobody_to_be_told_from_is_refused() -> None:
    with pytest.raises(InvalidMeasurementError, match="at least one other"):
        select_canaries(["p"], ["a"], [])
