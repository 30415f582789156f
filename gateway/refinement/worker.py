"""From the journal to measured facts: what `paretogate refine` does once, and with `--watch` again and again."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from catalog import ModelProfile, ParetoGateError
from gateway.errors import GatewayError, UpstreamNotAskedError
from gateway.journal import JournalledOutcome, JournalReader, JournalUnreadableError
from predictors import Thinking

from .backend_statistics import BackendStatistics, CallFacts, HalfLives
from .measured import Findings, read_findings, write_findings

__all__ = ["Refinement", "read_calls", "refine", "watch"]


class RefinementBrokeError(GatewayError):
    """A pass broke where it should not; what was being read is not quoted."""

    def __init__(self, exc: Exception) -> None:
        super().__init__(f"a pass broke ({type(exc).__name__}); `paretogate refine` shows where")


_MOST = 1e12


@dataclass(frozen=True, slots=True, kw_only=True)
class Refinement:
    """What one pass did."""

    new_outcomes: int
    findings: Findings


def refine(
    journal: Path,
    measured: Path,
    *,
    profile_of: Callable[[str], ModelProfile | None],
    now_s: float,
    half_lives: HalfLives | None = None,
    rebuild: bool = False,
) -> Refinement:
    """Count the outcomes that came since the last pass, and write the facts that follow.

    Args:
        journal: the journal's SQLite file.
        measured: the file of facts, read and replaced.
        profile_of: the profile behind a catalog id, toward which few calls are shrunk; None where there is none.
        now_s: seconds since the epoch; old observations count less by then.
        half_lives: how fast observations are forgotten; applies to statistics begun now.
        rebuild: forget earlier statistics and read the whole journal.

    Raises:
        JournalUnreadableError: there is no journal yet, or it is damaged.
        MeasuredFileError: the file of facts is damaged; `rebuild` replaces it.
    """
    findings = Findings() if rebuild else read_findings(measured)
    for statistics in findings.statistics.values():
        statistics.heed_clock(now_s=now_s)
    with JournalReader(journal) as reader:
        if findings.journal != reader.identity:  # another journal: its outcomes add to what is known
            findings.journal, findings.outcome_seq = reader.identity, 0
        new = 0
        for entry in reader.outcomes(after=findings.outcome_seq):
            findings.outcome_seq = entry.seq
            new += 1
            _note_models(findings, entry, at_s=min(entry.time, now_s))
            for backend, call in read_calls(entry, now_s=now_s):
                statistics = findings.statistics.setdefault(backend, BackendStatistics(half_lives or HalfLives()))
                statistics.add(call, profile=profile_of(findings.models.get(backend, backend)))
    for backend, statistics in findings.statistics.items():
        profile = profile_of(findings.models.get(backend, backend))
        findings.measured[backend] = statistics.measured(at_s=now_s, profile=profile)
    if new or rebuild:
        write_findings(measured, findings)
    return Refinement(new_outcomes=new, findings=findings)


class Stop(Protocol):
    """Such as a `threading.Event`."""

    def wait(self, timeout: float) -> bool:
        """Sleep for so many seconds at most; whether it is time to end."""
        ...


def watch(
    one_pass: Callable[[], Refinement],
    *,
    every_s: float,
    stop: Stop,
    report: Callable[[Refinement], None],
    failed: Callable[[Exception], None],
) -> None:
    """Refine until told to stop. A journal that does not exist yet is waited for.

    A pass that fails is told to `failed`, and what it missed is counted by the next that does not: disks are full for
    a while, and other programs hold locks.
    """
    while True:
        try:
            done = one_pass()
        except JournalUnreadableError:
            done = None
        except (ParetoGateError, OSError, sqlite3.Error) as exc:
            done = None
            failed(exc)
        except Exception as exc:  # noqa: BLE001 - one record that nobody can read must not end all learning in silence
            done = None
            failed(RefinementBrokeError(exc))
        if done is not None and done.new_outcomes:
            report(done)
        if stop.wait(every_s):
            return


def _note_models(findings: Findings, entry: JournalledOutcome, *, at_s: float) -> None:
    """Which model each backend serves; where the operator gave it another, the former's calls tell little of it."""
    for backend, model in _models(entry).items():
        before = findings.models.get(backend)
        if before not in (None, model) and backend in findings.statistics:
            findings.statistics[backend].is_of_another_model(at_s=at_s)
        findings.models[backend] = model


def read_calls(entry: JournalledOutcome, *, now_s: float) -> Iterator[tuple[str, CallFacts]]:
    """The calls that one outcome tells of: the failed attempts, and the answer if there was one.

    A call that the client broke off tells nothing about the backend, nor does one that this machine could not make,
    nor a backend's word that the request itself is at fault. A call of a time to come counts as one of now: those of a
    replica whose clock runs ahead would outweigh all others until then.
    """
    outcome = entry.outcome
    backend, status, at_s = outcome.get("backend"), outcome.get("status"), min(entry.time, now_s)
    failed = _failed_attempts(outcome.get("attempts"))
    if status == "rejected":
        failed = failed[:-1]
    elif status == "failed" and not outcome.get("attempts") and isinstance(backend, str):
        failed = [backend]
    for name in failed:
        yield name, CallFacts(at_s=at_s, status="failed")
    if status == "ok" and isinstance(backend, str):
        yield backend, _answer(entry, at_s)


def _failed_attempts(attempts: object) -> list[str]:
    listed = attempts if isinstance(attempts, list) else []
    told = [a for a in listed if isinstance(a, Mapping) and a.get("error") and a.get("backend")]
    return [str(a["backend"]) for a in told if a["error"] != UpstreamNotAskedError.reason]


def _answer(entry: JournalledOutcome, at_s: float) -> CallFacts:
    usage = entry.outcome.get("usage")
    counted = usage if isinstance(usage, Mapping) else {}
    return CallFacts(
        at_s=at_s,
        status="ok",
        output_tokens=_number(counted.get("output_tokens")) if _n_answers(entry.decision) == 1 else None,
        length_ratio=_length_ratio(entry.decision),
        cut_off=entry.outcome.get("finish_reason") == "length",
        input_tokens=_number(counted.get("input_tokens")),
        estimated_tokens=_estimated(entry.decision),
        ttft_s=_number(entry.outcome.get("ttft_s")),
        latency_s=_number(entry.outcome.get("latency_s")),
        thinking=_thinking(entry.decision),
        answered_as=named if isinstance(named := entry.outcome.get("model_returned"), str) else None,
    )


def _n_answers(decision: Mapping[str, object] | None) -> float:
    """How many answers the counts are of: those of several at once tell neither a length nor a speed."""
    query = (decision or {}).get("query")
    return (_number(query.get("n_answers")) if isinstance(query, Mapping) else None) or 1.0


def _length_ratio(decision: Mapping[str, object] | None) -> float:
    query = (decision or {}).get("query")
    return (_number(query.get("length_ratio")) if isinstance(query, Mapping) else None) or 1.0


def _thinking(decision: Mapping[str, object] | None) -> Thinking | None:
    query = (decision or {}).get("query")
    return Thinking.of_facts(query.get("thinking")) if isinstance(query, Mapping) else None


def _models(entry: JournalledOutcome) -> dict[str, str]:
    """Backend id -> catalog id, as the decision's candidates say."""
    candidates = (entry.decision or {}).get("candidates")
    return {
        str(candidate["backend"]): str(candidate["id"])
        for candidate in (candidates if isinstance(candidates, list) else ())
        if isinstance(candidate, Mapping) and candidate.get("backend") and candidate.get("id")
    }


def _estimated(decision: Mapping[str, object] | None) -> float | None:
    query = (decision or {}).get("query")
    return _number(query.get("tokens")) if isinstance(query, Mapping) else None


def _number(value: object) -> float | None:
    """None where nobody can have counted so many, tokens or seconds: their squares are summed."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= _MOST else None
