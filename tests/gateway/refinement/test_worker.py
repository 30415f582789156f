import errno
import json
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from catalog import ModelProfile
from gateway.journal import JournalUnreadableError, SqliteJournal
from gateway.refinement import Refinement, read_measured, refine, watch

NOW = 1_000_000.0


def no_profile(model: str) -> ModelProfile | None:
    return None


def journalled(
    folder: Path,
    backend: str,
    *,
    calls: int,
    ttft_s: float,
    start: int = 0,
    at_s: float = NOW,
    query: dict[str, object] | None = None,
    model: str = "o/m",
    **more: object,
) -> Path:
    path = folder / "journal.sqlite3"
    journal = SqliteJournal(path, clock=lambda: at_s)
    for number in range(start, start + calls):
        decision_id = f"{backend}-{number}"
        candidates = [{"id": model, "backend": backend}]
        asked = {"tokens": 50, **(query or {})}
        journal.write("decision", {"decision_id": decision_id, "time": NOW, "query": asked, "candidates": candidates})
        outcome = {
            "decision_id": decision_id,
            "backend": backend,
            "status": "ok",
            "usage": {"input_tokens": 60, "output_tokens": 21},
            "ttft_s": ttft_s,
            "latency_s": ttft_s + 0.2,
        }
        journal.write("outcome", {**outcome, **more})
    journal.close_now()
    return path


def run(folder: Path, *, rebuild: bool = False) -> Refinement:
    return refine(
        folder / "journal.sqlite3", folder / "measured.json", profile_of=no_profile, now_s=NOW, rebuild=rebuild
    )


def test_a_real_journal_becomes_facts(tmp_path: Path) -> None:
    journalled(tmp_path, "fast", calls=20, ttft_s=0.1)
    journalled(tmp_path, "slow", calls=20, ttft_s=3.0)
    run(tmp_path)
    measured = read_measured(tmp_path / "measured.json")
    assert measured["fast"].ttft_s == pytest.approx(0.1, rel=0.02)
    assert measured["slow"].ttft_s == pytest.approx(3.0, rel=0.02)
    assert measured["slow"].seconds_per_output_token == pytest.approx(0.01, rel=0.02)
    ratio, added = measured["slow"].input_token_ratio, measured["slow"].input_tokens_added
    assert ratio is not None
    assert added is not None
    assert 50 * ratio + added == pytest.approx(60, rel=0.02)


def test_lengths_are_counted_as_they_would_be_of_the_average_prompt(tmp_path: Path) -> None:
    journalled(tmp_path, "a", calls=20, ttft_s=0.1, query={"length_ratio": 0.25})  # each wrote 21 tokens
    run(tmp_path)
    assert read_measured(tmp_path / "measured.json")["a"].output_tokens_mean == pytest.approx(84, rel=0.02)


def test_an_outcome_is_counted_once_however_often_one_refines(tmp_path: Path) -> None:
    journalled(tmp_path, "a", calls=5, ttft_s=0.1)
    assert run(tmp_path).new_outcomes == 5
    assert run(tmp_path).new_outcomes == 0
    journalled(tmp_path, "a", calls=2, ttft_s=0.1, start=5)
    assert run(tmp_path).new_outcomes == 2
    assert read_measured(tmp_path / "measured.json")["a"].n_calls == 7


def test_a_clock_that_ran_ahead_for_a_call_does_not_outweigh_all_others(tmp_path: Path) -> None:
    journalled(tmp_path, "a", calls=1, ttft_s=9.0, at_s=NOW + 400 * 86_400)
    journalled(tmp_path, "a", calls=99, ttft_s=0.1, start=1)
    run(tmp_path)
    assert read_measured(tmp_path / "measured.json")["a"].ttft_s == pytest.approx(0.1, rel=0.05)


def test_another_journal_adds_to_what_is_known(tmp_path: Path) -> None:
    journalled(tmp_path, "a", calls=5, ttft_s=0.1).unlink()
    journalled(tmp_path, "a", calls=5, ttft_s=0.1)
    run(tmp_path)
    for file in tmp_path.glob("journal.sqlite3*"):
        file.unlink()
    journalled(tmp_path, "a", calls=3, ttft_s=0.1)
    run(tmp_path)
    assert read_measured(tmp_path / "measured.json")["a"].n_calls == 8


def test_rebuilding_forgets_and_reads_everything_again(tmp_path: Path) -> None:
    journalled(tmp_path, "a", calls=5, ttft_s=0.1)
    run(tmp_path)
    (tmp_path / "measured.json").write_text("damaged", encoding="utf-8")
    run(tmp_path, rebuild=True)
    assert read_measured(tmp_path / "measured.json")["a"].n_calls == 5


def test_failures_count_against_the_backend_that_failed(tmp_path: Path) -> None:
    attempts = [{"backend": "down", "error": "timeout"}]
    journalled(tmp_path, "up", calls=10, ttft_s=0.1, attempts=attempts)
    run(tmp_path)
    measured = read_measured(tmp_path / "measured.json")
    assert measured["down"].error_rate == pytest.approx((10 + 0.2) / (10 + 10))
    assert measured["up"].error_rate == pytest.approx(0.2 / (10 + 10))


def test_a_request_that_every_backend_failed_counts_each_failure_once(tmp_path: Path) -> None:
    attempts = [{"backend": "a", "error": "timeout"}, {"backend": "b", "error": "status"}]
    journalled(tmp_path, "b", calls=1, ttft_s=0.1, status="failed", attempts=attempts)
    run(tmp_path)
    measured = read_measured(tmp_path / "measured.json")
    assert (measured["a"].n_calls, measured["b"].n_calls) == (1, 1)


def test_a_request_that_was_itself_at_fault_does_not_count_against_the_backend(tmp_path: Path) -> None:
    journalled(tmp_path, "a", calls=1, ttft_s=0.1, status="rejected", attempts=[{"backend": "a", "error": "status"}])
    run(tmp_path)
    assert read_measured(tmp_path / "measured.json") == {}


def test_a_backend_that_this_machine_could_not_call_has_not_failed(tmp_path: Path) -> None:
    attempts = [{"backend": "a", "error": "not_asked"}]
    journalled(tmp_path, "a", calls=1, ttft_s=0.1, status="failed", attempts=attempts)
    run(tmp_path)
    assert read_measured(tmp_path / "measured.json") == {}


def test_a_client_that_left_is_nobodys_fault(tmp_path: Path) -> None:
    journalled(tmp_path, "a", calls=3, ttft_s=0.1, status="cancelled")
    run(tmp_path)
    assert read_measured(tmp_path / "measured.json") == {}


def test_few_calls_lean_on_the_profile_that_the_decision_names(tmp_path: Path) -> None:
    journalled(tmp_path, "a", calls=2, ttft_s=0.1)
    profile = ModelProfile(id="o/m", name="m", ttft_s=1.1)
    refine(
        tmp_path / "journal.sqlite3",
        tmp_path / "measured.json",
        profile_of={"o/m": profile}.get,
        now_s=NOW,
    )
    assert read_measured(tmp_path / "measured.json")["a"].ttft_s == pytest.approx((2 * 0.1 + 8 * 1.1) / 10, rel=0.02)


def test_without_a_journal_one_is_told_to_serve_first(tmp_path: Path) -> None:
    with pytest.raises(JournalUnreadableError, match="serve some requests first"):
        run(tmp_path)


def test_watching_reports_each_pass_that_found_something(tmp_path: Path) -> None:
    stop = threading.Event()
    reports: list[Refinement] = []
    passes = 0

    def one_pass() -> Refinement:
        nonlocal passes
        passes += 1
        if passes == 1:
            raise JournalUnreadableError(path="journal", problem="not there yet")
        if passes == 2:
            journalled(tmp_path, "a", calls=1, ttft_s=0.1)
        if passes == 3:
            stop.set()
        return run(tmp_path)

    watch(one_pass, every_s=0.0, stop=stop, report=reports.append, failed=_unexpected)
    assert [report.new_outcomes for report in reports] == [1]


def test_an_answer_at_its_limit_tells_no_length(tmp_path: Path) -> None:
    journalled(tmp_path, "a", calls=20, ttft_s=0.1, finish_reason="length")
    run(tmp_path)
    measured = read_measured(tmp_path / "measured.json")["a"]
    assert measured.output_tokens_mean is None
    assert measured.seconds_per_output_token == pytest.approx(0.01, rel=0.02)


def test_several_answers_at_once_tell_no_length_and_no_speed(tmp_path: Path) -> None:
    journalled(tmp_path, "a", calls=20, ttft_s=0.1, query={"n_answers": 5})
    run(tmp_path)
    measured = read_measured(tmp_path / "measured.json")["a"]
    assert (measured.output_tokens_mean, measured.seconds_per_output_token) == (None, None)
    assert measured.ttft_s == pytest.approx(0.1, rel=0.02)


def test_what_the_request_said_of_thinking_is_taken_out_of_the_lengths(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    journal = SqliteJournal(path, clock=lambda: NOW)
    for number in range(20):
        query = {"tokens": 50, "thinking": {"effort": "medium", "budget_tokens": None}}
        candidates = [{"id": "anthropic/m", "backend": "b"}]
        journal.write("decision", {"decision_id": str(number), "time": NOW, "query": query, "candidates": candidates})
        usage = {"input_tokens": 60, "output_tokens": 5_474}  # a thousand, and thoughts
        journal.write("outcome", {"decision_id": str(number), "backend": "b", "status": "ok", "usage": usage})
    journal.close_now()
    claude = ModelProfile(id="anthropic/m", name="m", capabilities=frozenset({"reasoning"}))
    refine(path, tmp_path / "measured.json", profile_of=lambda _: claude, now_s=NOW)
    assert read_measured(tmp_path / "measured.json")["b"].output_tokens_mean == pytest.approx(1_000, rel=0.02)


def _unexpected(exc: Exception) -> None:
    raise AssertionError from exc


@pytest.mark.parametrize(
    "problem", [OSError(errno.ENOSPC, "No space left on device"), sqlite3.OperationalError("database is locked")]
)
def test_a_pass_that_fails_is_told_and_the_next_counts_what_it_missed(tmp_path: Path, problem: Exception) -> None:
    journalled(tmp_path, "a", calls=5, ttft_s=0.1)
    stop, failures, reports = threading.Event(), [], []
    passes = iter((problem, problem, None))

    def one_pass() -> Refinement:
        if (fault := next(passes)) is not None:
            raise fault
        stop.set()
        return run(tmp_path)

    watch(one_pass, every_s=0.0, stop=stop, report=reports.append, failed=failures.append)
    assert failures == [problem, problem]
    assert [report.new_outcomes for report in reports] == [5]


def test_a_fault_of_ours_is_told_by_its_kind_and_learning_goes_on(tmp_path: Path) -> None:
    journalled(tmp_path, "a", calls=5, ttft_s=0.1)
    stop, failures, reports = threading.Event(), [], []
    passes = iter((KeyError("hush"), None))

    def one_pass() -> Refinement:
        if (fault := next(passes)) is not None:
            raise fault
        stop.set()
        return run(tmp_path)

    watch(one_pass, every_s=0.0, stop=stop, report=reports.append, failed=failures.append)
    assert [str(exc) for exc in failures] == ["a pass broke (KeyError); `paretogate refine` shows where"]
    assert [done.new_outcomes for done in reports] == [5]


def test_a_record_that_nobody_can_read_is_told_without_its_words_and_learning_goes_on_once_it_is_gone(
    tmp_path: Path,
) -> None:
    journalled(tmp_path, "a", calls=5, ttft_s=0.1)
    stop, failures, reports = threading.Event(), [], []
    with closing(sqlite3.connect(tmp_path / "journal.sqlite3", isolation_level=None)) as journal:
        journal.execute("UPDATE outcomes SET record = 'hush' WHERE seq = 3")

        def failed(exc: Exception) -> None:
            failures.append(str(exc))
            journal.execute("DELETE FROM outcomes WHERE seq = 3")

        def report(done: Refinement) -> None:
            reports.append(done.new_outcomes)
            stop.set()

        watch(lambda: run(tmp_path), every_s=0.0, stop=stop, report=report, failed=failed)
    (told,) = failures
    assert "row 3 of its table outcomes is no JSON" in told
    assert "hush" not in told
    assert reports == [4]


def test_another_model_behind_the_same_name_outweighs_the_one_before(tmp_path: Path) -> None:
    journalled(tmp_path, "here", calls=200, ttft_s=0.1, model_returned="m-2024-05-13")
    journalled(tmp_path, "here", calls=50, start=200, ttft_s=3.0, model_returned="m-2024-08-06")
    [measured] = run(tmp_path).findings.measured.values()
    assert measured.ttft_s == pytest.approx((8 * 0.1 + 50 * 3.0) / 58, rel=0.05)  # not a fifth of the way to it


def test_a_backend_that_was_given_another_model_is_measured_anew(tmp_path: Path) -> None:
    journalled(tmp_path, "here", calls=200, ttft_s=0.1)
    journalled(tmp_path, "here", calls=50, start=200, ttft_s=3.0, model="o/other")
    findings = run(tmp_path).findings
    assert findings.models == {"here": "o/other"}
    assert findings.measured["here"].ttft_s == pytest.approx((8 * 0.1 + 50 * 3.0) / 58, rel=0.05)
    journalled(tmp_path, "here", calls=5, start=250, ttft_s=3.0, model="o/other")
    assert run(tmp_path).findings.statistics["here"].sketches["ttft_s"].weight_at(NOW) == pytest.approx(63, rel=0.01)


@pytest.mark.parametrize("ahead_s", [12 * 3600.0, 365 * 86_400.0])
def test_calls_that_were_counted_by_a_clock_that_was_ahead_do_not_outweigh_those_that_follow(
    tmp_path: Path, ahead_s: float
) -> None:
    """A machine that starts with a wrong date, until it hears the right one."""
    later = NOW + ahead_s
    journalled(tmp_path, "here", calls=50, ttft_s=0.1, at_s=later)
    refine(tmp_path / "journal.sqlite3", tmp_path / "measured.json", profile_of=no_profile, now_s=later)
    journalled(tmp_path, "here", calls=50, start=50, ttft_s=3.0)
    [measured] = run(tmp_path).findings.measured.values()
    assert measured.ttft_s == pytest.approx((8 * 0.1 + 50 * 3.0) / 58, rel=0.05)


@pytest.mark.parametrize("number", [1e300, 1e13, -1.0, True, "fast", None, [1.0]])
@pytest.mark.parametrize("fact", ["ttft_s", "latency_s", "usage"])
def test_a_record_of_numbers_that_cannot_be_keeps_no_other_from_being_counted(
    tmp_path: Path, fact: str, number: object
) -> None:
    path = journalled(tmp_path, "b", calls=4, ttft_s=0.5)
    told = {"input_tokens": number, "output_tokens": number} if fact == "usage" else number
    with closing(sqlite3.connect(path)) as database, database:
        [(seq, record)] = database.execute("SELECT seq, record FROM outcomes ORDER BY seq LIMIT 1").fetchall()
        odd = json.dumps({**json.loads(record), fact: told})
        database.execute("UPDATE outcomes SET record = ? WHERE seq = ?", (odd, seq))
    assert run(tmp_path).new_outcomes == 4
    assert 0.4 < (read_measured(tmp_path / "measured.json")["b"].ttft_s or 0.0) < 0.6


@pytest.mark.parametrize("candidates", [{"id": 1}, {"id": ["a"], "backend": []}, {"id": ["a"], "backend": None}, 5])
def test_a_decision_of_candidates_that_cannot_be_keeps_no_other_from_being_counted(
    tmp_path: Path, candidates: object
) -> None:
    path = journalled(tmp_path, "b", calls=3, ttft_s=0.5)
    with closing(sqlite3.connect(path)) as database, database:
        [(record,)] = database.execute("SELECT record FROM decisions WHERE decision_id = 'b-0'").fetchall()
        odd = json.dumps({**json.loads(record), "candidates": candidates})
        database.execute("UPDATE decisions SET record = ? WHERE decision_id = 'b-0'", (odd,))
    assert run(tmp_path).new_outcomes == 3
