import json
from datetime import date
from pathlib import Path

import pytest

from catalog import ImportFailedError, InvalidProfileError
from catalog.importers.leaderboard import LeaderboardMapping, read_leaderboard, read_mapping

WIDE = LeaderboardMapping(
    source="a board",
    model_column="Model",
    license="Apache-2.0",
    recorded=date(2026, 5, 1),
    benchmarks={"MMLU": "board_mmlu", "GSM8K": "board_gsm8k"},
    scale=100.0,
    setting_column="mode",
    n=500,
)


def test_a_wide_table_gives_one_fact_per_cell(tmp_path: Path) -> None:
    path = tmp_path / "board.csv"
    path.write_text("Model,MMLU,GSM8K,mode\nours,72.5%,,high\n,1,2,low\ntheirs,bad,80,\n")
    told = read_leaderboard(path, WIDE)
    assert [(f.model, f.benchmark, f.value, f.setting, f.n) for f in told.facts] == [
        ("ours", "board_mmlu", 0.725, "high", 500),
        ("theirs", "board_gsm8k", 0.8, None, 500),
    ]
    assert told.facts[0].license == "Apache-2.0"
    assert told.facts[0].provenance.recorded == date(2026, 5, 1)
    assert [(f.entry, f.field) for f in told.findings] == [("row 2", "Model"), ("theirs", "MMLU")]


@pytest.mark.parametrize("suffix", ["json", "yaml"])  # JSON is YAML
def test_a_long_table_names_its_benchmarks(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"board.{suffix}"
    path.write_text(json.dumps([{"m": "ours", "b": "maths", "s": 0.5, "votes": 12}, {"m": "ours", "b": "", "s": 1}]))
    mapping = LeaderboardMapping(
        source="s", model_column="m", license=None, benchmark_column="b", score_column="s", n_column="votes"
    )
    told = read_leaderboard(path, mapping)
    assert [(f.benchmark, f.value, f.n) for f in told.facts] == [("maths", 0.5, 12)]
    assert [f.problem for f in told.findings] == ["names no benchmark"]


@pytest.mark.parametrize(("name", "text"), [("a.csv", "x,y\n1,2\n"), ("a.json", "3"), ("a.yaml", "["), ("a.json", "")])
def test_what_is_no_such_table_is_refused_by_name(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ImportFailedError, match=name):
        read_leaderboard(tmp_path / name, WIDE)


def test_a_mapping_is_wide_or_long() -> None:
    with pytest.raises(InvalidProfileError, match="either"):
        LeaderboardMapping(source="s", model_column="m", license=None)


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("model_column = []", "model_column"),
        ('benchmarks = "Score"', "benchmarks"),
        ("benchmarks = {Score = 3}", "benchmarks"),
        ('scale = "100"', "scale"),
        ("n = 0", "n"),
        ('recorded = "yesterday"', "recorded"),
        ('axes = {exam = "cooking"}', "axes.exam"),
        ("metric = 7", "metric"),
    ],
)
def test_a_mapping_of_the_wrong_kind_is_refused_by_its_field(line: str, field: str, tmp_path: Path) -> None:
    path = tmp_path / "board.toml"
    stated = {"source": '"x"', "model_column": '"Model"', "benchmarks": '{Score = "exam"}'}
    stated.pop(line.partition(" ")[0], None)
    path.write_text("\n".join([*(f"{name} = {value}" for name, value in stated.items()), line]), encoding="utf-8")
    with pytest.raises(ImportFailedError, match=field):
        read_mapping(path)
