"""A gateway's journal becomes outcomes that a predictor can be trained on."""

import json
import sqlite3
import tracemalloc
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from predictors.cli import train
from predictors.errors import InvalidOutcomesError
from predictors.journal.outcomes import read_journal_table
from predictors.outcomes import Outcomes
from predictors.quality import QualityModel


def _decision(key: str, *, text: str | None, chosen: str = "a/small") -> dict[str, object]:
    query = {"tokens": 5} | ({"text": text} if text else {})
    candidates = [{"id": "a/small", "backend": "small-1"}, {"id": "b/large", "backend": "large-1"}]
    return {"decision_id": key, "query": query, "candidates": candidates, "chosen": chosen, "propensity": 0.98}


def _records(n: int = 3, *, text: bool = True) -> dict[str, list[dict[str, object]]]:
    return {
        "decisions": [_decision(f"d{i}", text=f"What is {i} plus {i}?" if text else None) for i in range(n)],
        "outcomes": [
            {"decision_id": f"d{i}", "response_id": f"r{i}", "backend": "small-1", "cost_usd": 0.001} for i in range(n)
        ],
        "feedback": [{"response_id": f"r{i}", "metric": "thumbs", "value": i % 2} for i in range(n)],
    }


def _exported(path: Path, records: dict[str, list[dict[str, object]]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for table in records.values() for record in table))
    return path


def _stored(path: Path, records: dict[str, list[dict[str, object]]]) -> Path:
    db = sqlite3.connect(path)
    for table, rows in records.items():
        db.execute(f"CREATE TABLE {table} (seq INTEGER PRIMARY KEY, record TEXT)")  # a test's own names
        db.executemany(f"INSERT INTO {table} (record) VALUES (?)", [(json.dumps(row),) for row in rows])
    db.commit()
    db.close()
    return path


def test_the_file_and_its_export_say_the_same(tmp_path: Path) -> None:
    exported = Outcomes.read([_exported(tmp_path / "journal.jsonl", _records())]).table
    stored = Outcomes.read([_stored(tmp_path / "journal.sqlite3", _records())]).table
    assert exported.equals(stored)
    assert exported["score"].to_list() == [0.0, 1.0, 0.0]
    assert set(exported["model"]) == {"a/small"}
    assert exported["cost_usd"].to_list() == [0.001] * 3


def test_tokens_are_taken_over_but_not_the_length_of_an_answer_that_was_cut_off(tmp_path: Path) -> None:
    records = _records(2)
    for outcome, reason in zip(records["outcomes"], ("stop", "length"), strict=True):
        outcome |= {"usage": {"input_tokens": 7, "output_tokens": 9}, "finish_reason": reason}
    table = Outcomes.read([_exported(tmp_path / "j.jsonl", records)]).table.sort("prompt")
    assert table["input_tokens"].to_list() == [7.0, 7.0]
    assert table["output_tokens"].to_list() == [9.0, None]


def test_what_several_answers_took_is_not_what_one_takes(tmp_path: Path) -> None:
    records = _records(1)
    records["decisions"][0]["query"] |= {"n_answers": 3}  # type: ignore[operator]
    records["outcomes"][0] |= {"usage": {"input_tokens": 7, "output_tokens": 27}}
    (row,) = Outcomes.read([_exported(tmp_path / "j.jsonl", records)]).table.to_dicts()
    assert (row["input_tokens"], row.get("output_tokens"), row.get("cost_usd")) == (7.0, None, None)


def test_after_a_fallback_the_reward_belongs_to_the_model_that_answered(tmp_path: Path) -> None:
    records = _records(1)
    records["outcomes"][0]["backend"] = "large-1"
    assert Outcomes.read([_exported(tmp_path / "j.jsonl", records)]).models == ("b/large",)


def test_a_journal_without_prompts_says_which_setting_keeps_them(tmp_path: Path) -> None:
    with pytest.raises(InvalidOutcomesError, match=r"journal\.prompts"):
        Outcomes.read([_exported(tmp_path / "j.jsonl", _records(text=False))])


def test_a_journal_without_feedback_says_where_to_post_it(tmp_path: Path) -> None:
    records = _records() | {"feedback": []}
    with pytest.raises(InvalidOutcomesError, match="/v1/feedback"):
        Outcomes.read([_exported(tmp_path / "j.jsonl", records)])


def test_a_file_that_is_no_journal_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.sqlite3").write_bytes(b"not a database at all, whatever its name says" * 40)
    with pytest.raises(InvalidOutcomesError, match=r"x\.sqlite3"):
        Outcomes.read([tmp_path / "x.sqlite3"])


def test_a_large_journal_does_not_fill_the_memory(tmp_path: Path) -> None:
    """A record whole takes some 20 kB once it is read; what can be learned from it, one."""
    many = [{"id": f"a/model-{i}", "backend": f"b{i}", "quality": 0.5, "cost_usd": 0.1} for i in range(25)]
    records = _records(400)
    for decision in records["decisions"]:
        decision["candidates"], decision["chosen"] = many, "a/model-7"
    path = _exported(tmp_path / "j.jsonl", records)
    read_journal_table(path)  # what is loaded once
    tracemalloc.start()
    table = read_journal_table(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert table.height == 400
    assert peak / 400 < 4_000


def test_one_command_trains_on_a_journal(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(train)
    journal = _stored(tmp_path / "journal.sqlite3", _records(60))
    done = CliRunner().invoke(app, [str(journal), "--out", str(tmp_path / "mine"), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["n_outcomes"] == 60
    assert len(QualityModel.load(tmp_path / "mine").models) == 1
