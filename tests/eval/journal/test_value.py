from pathlib import Path

import pytest

from eval.errors import InvalidReplayError, MissingFactsError, NoOverlapError
from eval.journal.logged_decisions import read_journal
from eval.journal.report import journal_report, value_row
from eval.journal.value import value_policy
from router import Constraints, Policy, RoutingOptions

from .test_logged_decisions import decision, feedback, written


def test_another_policy_is_valued_by_the_router_from_the_journalled_forecasts(tmp_path: Path) -> None:
    records = []
    for i in range(8):  # half were explored: the small model earns 0.25, the large one 1
        small = i % 2 == 0
        records += [
            decision(str(i), "a/small" if small else "a/large", 0.5),
            feedback(str(i), 0.25 if small else 1.0),
        ]
    log = read_journal(written(tmp_path, *records))
    best = value_policy(log, RoutingOptions(policy="best", explore=False))
    assert best.estimate.snips == pytest.approx(1.0)
    assert best.estimate.ips == pytest.approx(1.0)
    assert best.estimate.effective_sample_size == pytest.approx(4)
    cheapest = value_policy(log, RoutingOptions(cost_quality_tradeoff=10, explore=False))
    assert cheapest.estimate.snips == pytest.approx(0.25)


def test_what_is_explored_as_rarely_as_a_gateway_does_overrules_wrong_forecasts(tmp_path: Path) -> None:
    """Explored twice in a hundred among two, as a gateway does: six of 600 requests reached the small model."""
    records = []
    for i in range(600):  # the forecasts prefer the large model, which earns 0; the small one earns 1
        explored = i % 100 == 0
        chosen, propensity = ("a/small", 0.01) if explored else ("a/large", 0.99)
        records += [decision(str(i), chosen, propensity, weak=0.85), feedback(str(i), float(explored))]
    log = read_journal(written(tmp_path, *records))
    best, cheapest = (
        value_policy(log, RoutingOptions(cost_quality_tradeoff=knob, explore=False)) for knob in (0.0, 10.0)
    )
    assert best.estimate.doubly_robust == pytest.approx(0.0, abs=1e-9)
    assert cheapest.estimate.ips == pytest.approx(1.0)
    assert cheapest.estimate.doubly_robust == pytest.approx(1.0)
    assert cheapest.worth.mean == pytest.approx(1.0)
    assert cheapest.worth.interval.upper == pytest.approx(1.0)  # no reward is above it
    assert cheapest.worth.interval.lower < 0.8  # six answers that all succeeded are no certainty
    assert (best.worth.explored, cheapest.worth.explored) == (0, 6)


def test_a_journal_without_feedback_cannot_value_anything(tmp_path: Path) -> None:
    log = read_journal(written(tmp_path, decision("1", "a/large", 1.0)))
    with pytest.raises(InvalidReplayError, match="feedback"):
        value_policy(log, RoutingOptions(policy="best"))


def test_ineligible_candidates_stay_ineligible(tmp_path: Path) -> None:
    record = decision("1", "a/small", 1.0)
    record["candidates"][1]["eligible"] = False  # type: ignore[index]
    log = read_journal(written(tmp_path, record, feedback("1", 0.5)))
    assert value_policy(log, RoutingOptions(policy="best", explore=False)).estimate.snips == 0.5


def test_a_value_comes_with_its_interval_and_beside_what_was_logged(tmp_path: Path) -> None:
    records = []
    for i in range(200):  # evenly explored: the small model earns 0.25, the large one 1 or 0.5
        small = i % 2 == 0
        reward = 0.25 if small else 1.0 - (i % 4 == 1) / 2
        records += [decision(str(i), "a/small" if small else "a/large", 0.5), feedback(str(i), reward)]
    value = value_policy(read_journal(written(tmp_path, *records)), RoutingOptions(policy="best", explore=False))
    assert value.logged == pytest.approx((0.25 + 0.75) / 2)
    assert value.worth.interval.lower < 0.75 < value.worth.interval.upper
    assert value.gain.interval.lower > 0
    assert (value.cost_usd, value.logged_cost_usd) == (pytest.approx(0.002), pytest.approx(0.0015))


def test_a_cost_that_is_unknown_is_null_and_a_policy_that_cannot_be_valued_says_why(tmp_path: Path) -> None:
    record = decision("1", "a/large", 1.0)
    record["candidates"][1]["cost_usd"] = None  # type: ignore[index]
    value = value_policy(read_journal(written(tmp_path, record, feedback("1", 1.0))), RoutingOptions(policy="best"))
    row = {"journal": "j", "policy": "best", **value_row(value)}
    assert row["cost_usd"] is None
    table = journal_report([row, {"journal": "j", "policy": "cheap", "refused": "no overlap"}])
    assert table.row_count == 2


def test_a_policy_of_speed_goes_by_the_latencies_that_were_forecast_then(tmp_path: Path) -> None:
    records = []
    for i in range(4):  # the large model, hardly better here, answers in a tenth of the small one's time
        small = i % 2 == 0
        made = decision(str(i), "a/small" if small else "a/large", 0.5, weak=0.88)
        for candidate, seconds in zip(made["candidates"], (20.0, 2.0), strict=True):  # type: ignore[call-overload]
            candidate["latency_s"] = seconds
        records += [made, feedback(str(i), 0.25 if small else 1.0)]
    log = read_journal(written(tmp_path, *records))
    assert log[0].expected_latency_s.tolist() == [20, 2]
    fast = value_policy(log, RoutingOptions(policy="fast", explore=False))
    assert (fast.estimate.snips, fast.cost_usd) == (pytest.approx(1.0), pytest.approx(0.002))
    quick = {"quick": Policy(weights={"cost": 1.0}, require=Constraints(max_latency_s=5.0))}
    assert value_policy(log, RoutingOptions(policy="quick"), policies=quick).estimate.snips == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("policy", "fact"), [("small", "size"), ("green", "energy, size"), ("private", "security, privacy")]
)
def test_a_policy_that_goes_by_what_no_journal_keeps_is_refused(tmp_path: Path, policy: str, fact: str) -> None:
    log = read_journal(written(tmp_path, decision("1", "a/large", 1.0), feedback("1", 1.0)))
    with pytest.raises(MissingFactsError, match=f"'{policy}' goes by {fact}, which a journal does not keep"):
        value_policy(log, RoutingOptions(policy=policy))


def test_a_choice_that_the_log_could_not_have_made_is_left_out_and_told(tmp_path: Path) -> None:
    records = []
    for i in range(40):  # of every other request it was certain who answers; the rest were drawn evenly
        certain, small = i % 2 == 0, i % 4 == 1
        made = decision(str(i), "a/small" if small else "a/large", 1.0 if certain else 0.5)
        if not certain:
            for candidate in made["candidates"]:  # type: ignore[attr-defined]
                candidate["propensity"] = 0.5
        records += [made, feedback(str(i), 0.25 if small else 1.0)]
    log = read_journal(written(tmp_path, *records))
    best = value_policy(log, RoutingOptions(policy="best", explore=False))
    cheapest = value_policy(log, RoutingOptions(cost_quality_tradeoff=10, explore=False))
    assert (best.without_support, best.estimate.n) == (0.0, 40)
    assert (cheapest.without_support, cheapest.estimate.n) == (0.5, 20)
    assert cheapest.worth.mean == pytest.approx(0.25)
    assert cheapest.logged == pytest.approx((0.25 + 1.0) / 2)  # of the same decisions


def test_a_log_that_was_certain_of_everything_judges_no_other_policy(tmp_path: Path) -> None:
    log = read_journal(written(tmp_path, decision("1", "a/large", 1.0), feedback("1", 1.0)))
    with pytest.raises(NoOverlapError, match="more exploration"):
        value_policy(log, RoutingOptions(cost_quality_tradeoff=10, explore=False))


def test_a_conversation_stays_with_its_model_as_it_would_have(tmp_path: Path) -> None:
    """By `best` alone the large one leads by 0.02 of quality, which is not worth to move a conversation."""
    records = []
    for i in range(10):
        made = decision(str(i), "a/small", 1.0, weak=0.88)
        made["last_backend"] = "s"
        records += [made, feedback(str(i), 0.5)]
    log = read_journal(written(tmp_path, *records))
    assert {one.last_answered for one in log} == {0}
    value = value_policy(log, RoutingOptions(policy="best", explore=False))
    assert (value.worth.mean, value.without_support) == (pytest.approx(0.5), 0.0)
