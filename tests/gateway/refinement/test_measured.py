from pathlib import Path

import pytest

from catalog import Backend, Measured
from gateway.refinement import (
    BackendStatistics,
    CallFacts,
    Findings,
    MeasuredFileError,
    apply_measured,
    read_findings,
    read_measured,
    write_findings,
)


def backend(name: str) -> Backend:
    return Backend(id=name, profile_id="o/m", kind="fake", provider="o", model_name="m")


def test_nothing_was_measured_where_there_is_no_file(tmp_path: Path) -> None:
    assert read_measured(tmp_path / "measured.json") == {}


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    statistics = BackendStatistics()
    statistics.add(CallFacts(at_s=5.0, status="ok", output_tokens=10, latency_s=1.0))
    findings = Findings(
        measured={"a": Measured(n_calls=1, ttft_s=0.5)},
        statistics={"a": statistics},
        models={"a": "o/m"},
        journal=7,
        outcome_seq=3,
    )
    write_findings(tmp_path / "state" / "measured.json", findings)
    assert read_findings(tmp_path / "state" / "measured.json") == findings
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["measured.json"]


def test_measured_facts_reach_their_backend_and_no_other() -> None:
    changed, same = apply_measured([backend("a"), backend("b")], {"a": Measured(n_calls=9, ttft_s=2.0)})
    assert changed.measured.ttft_s == 2.0
    assert same == backend("b")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": 99}', '{"schema": 1, "measured": 3}'])
def test_a_damaged_file_is_a_clear_error(tmp_path: Path, content: str) -> None:
    path = tmp_path / "measured.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(MeasuredFileError, match="refine --rebuild"):
        read_measured(path)


@pytest.mark.parametrize("odd", ['"x"', "[1]", '{"a": 1}', "true", "-1", "1e300"])
@pytest.mark.parametrize("fact", ["ttft_s", "ttft_sd_s", "seconds_per_output_token", "output_tokens_mean"])
def test_facts_that_nobody_can_have_measured_are_a_clear_error(tmp_path: Path, fact: str, odd: str) -> None:
    path = tmp_path / "measured.json"
    told = (
        '{"schema": 1, "journal": 1, "outcome_seq": 0, "models": {}, "statistics": {}, "measured": {"b": {"%s": %s}}}'
    )
    path.write_text(told % (fact, "1.5"))
    assert getattr(read_measured(path)["b"], fact) == 1.5
    path.write_text(told % (fact, odd))
    with pytest.raises(MeasuredFileError, match="refine --rebuild"):
        read_measured(path)
