"""Outcomes: read from three formats, refused with the place and the remedy."""

import json
import os
from pathlib import Path

import polars as pl
import pytest

from predictors import InvalidOutcomesError
from predictors.outcomes import OPTIONAL_COLUMNS, Outcomes

ROWS = {"prompt": ["1 + 1 = ?", "1 + 1 = ?", "Name a colour."], "model": ["a", "b", "a"], "score": [1.0, 0.0, 0.5]}


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_all_three_formats_say_the_same(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"mine{suffix}"
    writers = {".csv": "write_csv", ".jsonl": "write_ndjson", ".parquet": "write_parquet"}
    getattr(pl.DataFrame(ROWS), writers[suffix])(file)
    outcomes = Outcomes.read([file])
    assert len(outcomes) == 3
    assert outcomes.models == ("a", "b")
    assert outcomes.table["score"].to_list() == [1.0, 0.0, 0.5]


def test_missing_columns_become_null_and_keys_are_derived_from_the_prompt() -> None:
    table = Outcomes.from_table(pl.DataFrame(ROWS)).table
    assert set(OPTIONAL_COLUMNS) <= set(table.columns)
    assert table["cost_usd"].null_count() == 3
    first, second, third = table["group_key"].to_list()
    assert first == second != third


def test_the_same_question_in_another_layout_has_the_same_group() -> None:
    rows = {"prompt": ["What is 2+2?", "WHAT is  2 + 2 ?"], "model": ["a", "a"], "score": [1, 0]}
    keys = Outcomes.from_table(pl.DataFrame(rows)).table["group_key"].to_list()
    assert keys[0] == keys[1]


def test_a_folder_gives_its_outcomes_files_and_not_the_tables_beside_them(tmp_path: Path) -> None:
    pl.DataFrame(ROWS).write_parquet(tmp_path / "outcomes.parquet")
    pl.DataFrame({"model": ["a"], "params_b": [7.0]}).write_parquet(tmp_path / "models.parquet")
    assert len(Outcomes.read([tmp_path])) == 3


def test_rows_without_a_score_are_left_out() -> None:
    rows = {**ROWS, "score": [1.0, None, 0.5]}
    assert len(Outcomes.from_table(pl.DataFrame(rows))) == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"score": [1.0, 0.0, 1.5]}, r"column 'score', row 3: 1.5 is outside 0 to 1"),
        ({"score": [1.0, float("nan"), 0.5]}, r"column 'score', row 2"),
        ({"score": ["1", "good", "0"]}, r"column 'score', row 2: 'good' is not a number"),
        ({"model": ["a", None, "a"]}, r"column 'model', row 2: None is empty"),
        ({"latency_s": [1.0, -2.0, None]}, r"column 'latency_s', row 2: -2.0 is negative"),
    ],
)
def test_an_impossible_value_is_refused_with_its_place(change: dict[str, list[object]], said: str) -> None:
    with pytest.raises(InvalidOutcomesError, match=said):
        Outcomes.from_table(pl.DataFrame({**ROWS, **change}), source="mine.csv")


def test_a_missing_column_is_named_with_those_that_are_there() -> None:
    with pytest.raises(InvalidOutcomesError, match=r"mine.csv: column 'score' is missing \(it has prompt, model\)"):
        Outcomes.from_table(pl.DataFrame({"prompt": ["x"], "model": ["a"]}), source="mine.csv")


def test_a_file_that_is_not_there_or_not_readable_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.parquet"
    broken.write_text("this is no parquet file")
    with pytest.raises(InvalidOutcomesError, match="no such file"):
        Outcomes.read([tmp_path / "absent.csv"])
    with pytest.raises(InvalidOutcomesError, match="cannot be read as parquet"):
        Outcomes.read([broken])
    (tmp_path / "mine.xlsx").touch()
    with pytest.raises(InvalidOutcomesError, match=r"not '\.xlsx'"):
        Outcomes.read([tmp_path / "mine.xlsx"])
    with pytest.raises(InvalidOutcomesError, match="no outcomes were named"):
        Outcomes.read([])


def test_a_share_of_the_questions_can_be_held_out_and_stays_out() -> None:
    rows = [{"prompt": f"question {i} of many", "model": m, "score": 1.0} for i in range(400) for m in ("a", "b")]
    whole = Outcomes.from_table(pl.DataFrame(rows))
    left = whole.without(0.25)
    assert whole.without(0.0) is whole
    assert 260 <= left.table["prompt"].n_unique() <= 340
    assert len(left) == 2 * left.table["prompt"].n_unique()  # a question goes with all its models
    more = Outcomes.from_table(pl.DataFrame([*rows, {"prompt": "one more", "model": "a", "score": 0.0}])).without(0.25)
    assert set(left.table["prompt"]) <= set(more.table["prompt"])
    with pytest.raises(InvalidOutcomesError, match="leaves none"):
        Outcomes.from_table(pl.DataFrame(rows[:1])).without(0.9, seed=1)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_column_is_what_all_its_rows_say(tmp_path: Path, suffix: str) -> None:
    # a graded score, a text and a number with zeros in front, each long after the rows that look otherwise
    n = 300
    table = pl.DataFrame(
        {
            "prompt": [*map(str, range(n)), "name a rose"],
            "model": "007",
            "score": [*[1] * n, 0.25],
        },
        strict=False,
    )
    path = tmp_path / f"mine{suffix}"
    lines = [json.dumps(row | {"score": row["score"] if row["score"] % 1 else 1}) for row in table.to_dicts()]
    text = "\n".join(lines) if suffix == ".jsonl" else table.write_csv().replace(",1.0", ",1")
    path.write_text(text)
    found = Outcomes.read([path])
    assert found.models == ("007",)
    assert found.table.row(-1, named=True)["score"] == 0.25
    assert found.table["prompt"].to_list() == table["prompt"].to_list()


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_a_files_name_is_no_pattern(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"run [1]*{suffix}"
    writers = {".csv": "write_csv", ".jsonl": "write_ndjson", ".parquet": "write_parquet"}
    with path.open("wb") as file:
        getattr(pl.DataFrame(ROWS), writers[suffix])(file)
    assert len(Outcomes.read([path])) == 3


def test_prompts_that_are_no_text_are_told(tmp_path: Path) -> None:
    path = tmp_path / "turns.jsonl"
    path.write_text('{"prompt": [{"role": "user", "content": "hi"}], "model": "a", "score": 1}\n')
    with pytest.raises(InvalidOutcomesError, match=r"column 'prompt' holds List.*; give text instead"):
        Outcomes.read([path])


def test_a_journal_in_redis_is_to_be_collected_first_and_its_password_is_not_told() -> None:
    with pytest.raises(InvalidOutcomesError, match="paretogate journal collect") as refused:
        Outcomes.read([Path("redis://:pl4nted@redis/0")])
    assert "pl4nted" not in str(refused.value)


def test_what_is_left_out_averaged_or_not_read_is_remarked(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    rows = [
        {"prompt": "p", "model": "a", "score": 1, "cost": 0.1, "answer": "x"},
        {"prompt": "p", "model": "a", "score": 0, "cost": 0.1, "answer": "y"},
        {"prompt": "p", "model": "b", "score": None, "cost": 0.2, "answer": "z"},
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    assert Outcomes.read([path]).remarks == (
        "1 rows without a score are left out",
        "1 rows repeat a prompt and a model; those of a pair are averaged",
        "column 'cost' is not read; if cost_usd is meant, call it so",
    )


def test_of_several_files_a_remark_names_its_own(tmp_path: Path) -> None:
    pl.DataFrame(ROWS).write_csv(tmp_path / "whole.csv")
    pl.DataFrame(ROWS).with_columns(pl.lit(1).alias("latency")).write_csv(tmp_path / "odd.csv")
    found = Outcomes.read([tmp_path / "whole.csv", tmp_path / "odd.csv"])
    assert all(remark.startswith("odd.csv: ") for remark in found.remarks)
    assert "odd.csv: column 'latency' is not read; if latency_s is meant, call it so" in found.remarks


def test_a_score_that_is_no_number_is_not_to_be_rescaled() -> None:
    rows = pl.DataFrame({"prompt": ["p", "q"], "model": ["a", "a"], "score": [1.0, float("nan")]})
    with pytest.raises(InvalidOutcomesError, match=r"row 2: nan is not a number; leave unknown scores empty"):
        Outcomes.from_table(rows)


@pytest.mark.parametrize("name", ["o.parquet", "o.csv", "o.jsonl", "o.sqlite3"])
def test_nobody_waits_for_a_pipe_in_the_place_of_outcomes(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(InvalidOutcomesError, match=rf"{name}: cannot be read as .+: .*Is no regular file"):
        Outcomes.read([tmp_path / name])
