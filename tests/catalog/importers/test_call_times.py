import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from catalog import ImportFailedError
from catalog.cli import commands
from catalog.importers.call_times import read_call_times


def journal(path: Path) -> Path:
    calls = [
        {"backend": "local", "status": "ok", "usage": {"input_tokens": 10 * k, "output_tokens": 1 + k * k % 50},
         "latency_s": 0.5 + 0.001 * 10 * k + 0.02 * (k * k % 50)}
        for k in range(1, 60)
    ]  # fmt: skip
    others = [{"decision_id": "d"}, {"backend": "local", "status": "upstream_failed", "usage": None, "latency_s": 9.0}]
    path.write_text("\n".join(json.dumps(row) for row in (*others, *calls)))
    return path


def test_finished_calls_of_a_journal_are_read_and_others_passed_over(tmp_path: Path) -> None:
    told = read_call_times(journal(tmp_path / "journal.jsonl"))["local"]
    assert len(told.latency_s) == 59
    assert (told.prompt_tokens[0], told.output_tokens[0]) == (10.0, 2.0)


def test_the_command_tells_the_undisturbed_time_of_each_backend(tmp_path: Path) -> None:
    done = CliRunner().invoke(commands, ["runtime", str(journal(tmp_path / "journal.jsonl")), "--json"])
    told = json.loads(done.stdout)["local"]
    assert round(told["start_s"], 2) == 0.5
    assert round(told["seconds_per_output_token"], 4) == 0.02
    assert round(told["seconds_per_prompt_token"], 5) == 0.001


def test_a_table_of_outcomes_does_as_well(tmp_path: Path) -> None:
    table = tmp_path / "outcomes.csv"
    table.write_text("model,input_tokens,output_tokens,latency_s\na/b,10,5,1.5\na/b,10,,1.5\n")
    assert read_call_times(table)["a/b"].latency_s.tolist() == [1.5]


def test_a_table_that_tells_no_call_says_what_is_missing(tmp_path: Path) -> None:
    table = tmp_path / "outcomes.csv"
    table.write_text("prompt,model,score\nhi,a/b,1\n")
    with pytest.raises(ImportFailedError, match="latency_s"):
        read_call_times(table)
