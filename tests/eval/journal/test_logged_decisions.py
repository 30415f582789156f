import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from eval.journal.logged_decisions import read_journal
from predictors import InvalidOutcomesError
from predictors.journal.outcomes import is_journal


def decision(key: str, chosen: str, propensity: float, *, weak: float = 0.3) -> dict[str, object]:
    candidates = [
        {"id": "a/small", "backend": "s", "quality": weak, "quality_se": 0.01, "cost_usd": 0.001, "eligible": True},
        {"id": "a/large", "backend": "l", "quality": 0.9, "quality_se": 0.01, "cost_usd": 0.002, "eligible": True},
    ]
    return {
        "schema": 1,
        "decision_id": key,
        "candidates": candidates,
        "chosen": chosen,
        "propensity": propensity,
        "query": {"tokens": 12},
    }


def feedback(key: str, value: float, metric: str = "rating") -> dict[str, object]:
    return {"decision_id": key, "metric": metric, "value": value}


def outcome(key: str) -> dict[str, object]:
    return {"decision_id": key, "response_id": f"r-{key}", "backend": "l", "cost_usd": 0.004, "latency_s": 1.5}


def written(tmp_path: Path, *records: dict[str, object]) -> Path:
    path = tmp_path / "journal.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in records))
    return path


def test_decisions_are_joined_with_outcomes_and_feedback_by_either_id(tmp_path: Path) -> None:
    by_response = {"response_id": "r-1", "metric": "rating", "value": 0.0}
    path = written(tmp_path, decision("1", "a/large", 0.98), outcome("1"), feedback("1", 1.0), by_response)
    [logged] = read_journal(path)
    assert (logged.reward, logged.paid_usd, logged.latency_s, logged.propensity) == (0.5, 0.004, 1.5, 0.98)
    assert logged.candidates[logged.chosen] == "a/large"
    assert logged.quality.tolist() == [0.3, 0.9]


def test_a_large_journal_does_not_fill_the_memory(tmp_path: Path) -> None:
    """A record whole takes some 20 kB once it is read; a hundred thousand took 2.3 GB."""
    many = [{"id": f"maker/model-{i}", "backend": f"b{i}", "quality": 0.5, "cost_usd": 0.1} for i in range(25)]
    records = [{**decision(str(n), "b7", 1.0), "candidates": many, "versions": {"x": n}} for n in range(400)]
    path = written(tmp_path, *records, *[outcome(str(n)) for n in range(400)])
    read_journal(path)  # what is loaded once
    tracemalloc.start()
    log = read_journal(path)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(log) == 400
    assert held / 400 < 3_000
    assert peak / 400 < 5_000


def test_a_metric_can_be_singled_out_as_the_reward(tmp_path: Path) -> None:
    path = written(tmp_path, decision("1", "l", 1.0), feedback("1", 1.0), feedback("1", 0.2, "tone"))
    assert read_journal(path, metric="tone")[0].reward == 0.2


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "line 2 is not JSON"),
        ("[1]", "line 2 is no journal record"),
        ('{"decision_id": "2", "candidates": [], "chosen": "x"}', "has no candidates"),
        ('{"decision_id": "2", "candidates": [{"id": "a/b"}], "chosen": "x"}', "'x' is not among its candidates"),
        ('{"decision_id": "2", "candidates": [{"id": "a/b"}], "chosen": "a/b"}', "decision 2: it has no propensity"),
        ('{"decision_id": "2", "candidates": ["a/b"], "chosen": "a/b"}', "line 2: its candidates are no records"),
        ('{"candidates": {"id": ["a/b"], "quality": [0.1, 0.2]}}', "line 2: its candidates' columns do not fit"),
        ('{"candidates": {"id": 3}}', "line 2: its candidates' columns do not fit"),
    ],
)
def test_a_damaged_journal_names_the_place(tmp_path: Path, line: str, problem: str) -> None:
    path = written(tmp_path, decision("1", "a/large", 1.0))
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(InvalidOutcomesError, match=problem):
        read_journal(path)


def test_bytes_that_are_no_text_are_told_by_their_line(tmp_path: Path) -> None:
    path = written(tmp_path, decision("1", "a/large", 1.0))
    path.write_bytes(path.read_bytes() + b'{"decision_id": "\xfc"}\n')
    with pytest.raises(InvalidOutcomesError, match="line 2 is not JSON"):
        read_journal(path)
    path.write_bytes(b"\xfc\x00")
    assert not is_journal(path)


def test_a_journal_is_told_from_outcomes_by_its_first_line(tmp_path: Path) -> None:
    assert is_journal(written(tmp_path, decision("1", "a/large", 1.0)))
    outcomes = tmp_path / "outcomes.jsonl"
    outcomes.write_text('{"prompt": "p", "model": "m", "score": 1}\n')
    assert not is_journal(outcomes)
    assert not is_journal(tmp_path / "table.parquet")


def test_unknown_numbers_stay_unknown(tmp_path: Path) -> None:
    record = decision("1", "a/large", 1.0)
    record["candidates"][0]["cost_usd"] = None  # type: ignore[index]
    [logged] = read_journal(written(tmp_path, record))
    assert np.isnan(logged.cost_usd[0])
    assert logged.paid_usd is None


def test_two_backends_of_one_model_are_told_apart_and_positions_of_older_journals_are_read(tmp_path: Path) -> None:
    twins = decision("1", "a/large", 0.5) | {"backend": "l2"}
    twins["candidates"] = [*twins["candidates"], {"id": "a/large", "backend": "l2", "quality": 0.9}]  # type: ignore[misc]
    older = decision("2", "a/large", 0.5) | {"chosen": 1}
    logged = read_journal(written(tmp_path, twins, older))
    assert [one.chosen for one in logged] == [2, 1]


def test_after_a_fallback_the_choice_has_no_reward(tmp_path: Path) -> None:
    path = written(tmp_path, decision("1", "a/small", 1.0), outcome("1"), feedback("1", 1.0))  # "l" answered, not "s"
    assert read_journal(path)[0].reward is None


def test_a_request_in_which_the_caller_said_who_judges_no_policy(tmp_path: Path) -> None:
    named = {**decision("1", "a/large", 1.0), "reason": "named", "policy": "named"}
    in_order = {**decision("2", "a/small", 1.0), "reason": "order", "routing": {"order": ["a/small"]}}
    best_anyway = {**decision("3", "a/large", 1.0), "reason": "pareto", "routing": {"order": ["a/large"]}}
    routed = {**decision("4", "a/large", 1.0), "reason": "pareto", "routing": {"policy": "best"}}
    path = written(tmp_path, named, in_order, best_anyway, routed, feedback("1", 1.0), feedback("4", 1.0))
    assert [one.decision_id for one in read_journal(path)] == ["4"]


def test_who_else_could_have_been_chosen_is_known_as_far_as_the_record_tells(tmp_path: Path) -> None:
    told = decision("1", "a/large", 0.9)
    for candidate, propensity in zip(told["candidates"], (0.0, 0.9), strict=True):  # type: ignore[call-overload]
        candidate["propensity"] = propensity
    certain, older = decision("2", "a/large", 1.0), decision("3", "a/large", 0.9)
    log = read_journal(written(tmp_path, told, certain, older))
    assert [one.propensities.tolist() for one in log[:2]] == [[0.0, 0.9], [0.0, 1.0]]
    assert np.isnan(log[2].propensities).tolist() == [True, False]
