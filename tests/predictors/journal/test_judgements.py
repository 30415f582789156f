"""Which pieces of feedback count."""

import pytest

from predictors.journal.judgements import Judgements


def feedback(about: str, value: object, **more: object) -> dict[str, object]:
    return {"decision_id": about, "metric": "rating", "value": value, **more}


def test_numbers_between_0_and_1_count_for_the_decision_or_the_response_they_name() -> None:
    told = Judgements()
    told.said({"response_id": "r", "metric": "rating", "value": 0.25})  # before the answer that it is about
    told.said(feedback("d", True))
    told.said(feedback("d", "very good"))
    told.decided({"decision_id": "d"})
    told.answered({"decision_id": "d", "response_id": "r"})
    assert told.rewards() == {"d": [0.25, 1.0]}


def test_another_tenants_word_counts_for_nothing() -> None:
    """`train`, `replay` and `promote` counted it, other than the dashboard."""
    told = Judgements()
    told.decided({"decision_id": "ours", "tenant": "acme"})
    told.decided({"decision_id": "anybodys", "tenant": None})
    for tenant, value in (("acme", 1.0), ("rival", 0.0), (None, 0.0)):
        told.said(feedback("ours", value, tenant=tenant))
        told.said(feedback("anybodys", value))
    assert told.rewards() == {"ours": [1.0], "anybodys": [1.0, 0.0, 0.0]}


def test_the_same_said_twice_counts_once() -> None:
    """Each of two replicas kept it in a journal of its own, and both were exported."""
    told = Judgements()
    for _ in range(2):
        told.said(feedback("d", 0.0, idempotency_key="fb_1"))
    told.said(feedback("d", 1.0, idempotency_key="fb_2"))
    assert told.rewards() == {"d": [0.0, 1.0]}


@pytest.mark.parametrize("scale", [(-1.0, 1.0), (1.0, 3.0, 5.0), (0.0, 100.0)])
def test_a_metric_on_another_scale_counts_for_nothing(scale: tuple[float, ...]) -> None:
    """Of thumbs of -1 and 1 every 1 counted and every -1 did not: every answer was the best."""
    told = Judgements()
    for number, value in enumerate(scale * 10):
        told.said(feedback(f"d{number}", value))
        told.said({**feedback(f"d{number}", 0.5), "metric": "tone"})
    assert set(map(tuple, told.rewards().values())) == {(0.5,)}


def test_a_stray_value_does_not_silence_a_metric_nor_another_tenants() -> None:
    told = Judgements()
    for number in range(200):
        told.said(feedback(f"d{number}", 1.0, tenant="acme"))
    told.said(feedback("d0", 7.0, tenant="acme"))
    told.said(feedback("d1", -1.0, tenant="rival"))
    assert told.rewards()["d0"] == [1.0]
    assert len(told.rewards()) == 200


def test_what_is_no_finite_number_is_passed_over() -> None:
    told = Judgements()
    for value in (float("nan"), float("inf"), None, [1.0]):
        told.said(feedback("d", value))
    assert told.rewards() == {}
