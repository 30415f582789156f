import json
from pathlib import Path

import polars as pl
import pytest

from catalog import ImportFailedError
from catalog.capability.compatibility import per_task
from catalog.importers.outcome_scores import read_paired_scores

ROWS = [
    {"prompt_id": "p1", "model": "v1", "score": 1.0, "benchmark": "maths"},
    {"prompt_id": "p1", "model": "v2", "score": 0.0, "benchmark": "maths"},
    {"prompt_id": "p2", "model": "v1", "score": 0.5, "benchmark": "code"},
    {"prompt_id": "p2", "model": "v2", "score": 1.0, "benchmark": "code"},
    {"prompt_id": "p3", "model": "v1", "score": 1.0, "benchmark": "code"},  # never asked of v2
    {"prompt_id": "p4", "model": "v1", "score": 1.0, "benchmark": "code"},
    {"prompt_id": "p4", "model": "v2", "score": None, "benchmark": "code"},
]


def write(rows: list[dict[str, object]], path: Path) -> Path:
    table = pl.DataFrame(rows)
    {".csv": table.write_csv, ".jsonl": table.write_ndjson, ".parquet": table.write_parquet}[path.suffix](path)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_prompts_that_both_versions_answered_are_paired(tmp_path: Path, suffix: str) -> None:
    paired = read_paired_scores(write(ROWS, tmp_path / f"outcomes{suffix}"), old="v1", new="v2")
    assert paired.tasks == ("code", "maths")
    assert paired.old.tolist() == [0.5, 1.0]
    assert paired.new.tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (json.dumps({"model": "v1"}), "'prompt' is missing"),
        (json.dumps({"model": "v1", "prompt_id": 1, "score": 7}), r"\[0, 1\]"),
        (json.dumps({"model": "v1", "prompt_id": 1, "score": 1}), "no prompt is scored for both"),
        ("{", "line 1 is not JSON"),
        ("3", "line 1 is not an object"),
    ],
)
def test_a_table_that_cannot_be_compared_says_why(tmp_path: Path, content: str, problem: str) -> None:
    path = tmp_path / "outcomes.jsonl"
    path.write_text(content)
    with pytest.raises(ImportFailedError, match=problem):
        read_paired_scores(path, old="v1", new="v2")


def test_what_is_not_parquet_or_absent_is_refused_by_name(tmp_path: Path) -> None:
    bad = tmp_path / "bad.parquet"
    bad.write_bytes(b"PAR1 not really")
    for path in (bad, tmp_path / "absent.csv"):
        with pytest.raises(ImportFailedError, match=path.name):
            read_paired_scores(path, old="v1", new="v2")


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_answers_tell_flips_from_wrong_to_another_wrong(tmp_path: Path, suffix: str) -> None:
    # methods of MUSCLE: truth ABCDA, old ABADC, new ACBDA gives NFR 0.2 and NFR_mc 0.4
    rows = [
        {"prompt_id": f"p{i}", "model": model, "score": float(said == truth), "benchmark": "b", "answer": said}
        for i, (truth, *answers) in enumerate(zip("ABCDA", "ABADC", "ACBDA", strict=True))
        for model, said in zip(("v1", "v2"), answers, strict=True)
    ]
    paired = read_paired_scores(write(rows, tmp_path / f"outcomes{suffix}"), old="v1", new="v2")
    told, task = per_task(paired.old, paired.new, paired.tasks, changed=paired.changed)
    assert (told.negative, told.negative_changed, task.negative_changed) == (0.2, 0.4, 0.4)


def test_where_an_answer_is_missing_nobody_says_which_changed(tmp_path: Path) -> None:
    rows = [{**row, "answer": "" if row["prompt_id"] == "p1" else "A"} for row in ROWS]
    assert read_paired_scores(write(rows, tmp_path / "outcomes.csv"), old="v1", new="v2").changed is None


def test_a_table_without_ids_from_a_spreadsheet_is_paired_by_the_prompts(tmp_path: Path) -> None:
    rows = [{"prompt": p, "model": m, "score": s} for p, m, s in (("a", "v1", 1), ("b", "v2", 0), ("a", "v2", 0))]
    path = write(rows, tmp_path / "outcomes.csv")
    path.write_text(path.read_text(), encoding="utf-8-sig")  # the mark that spreadsheets put in front
    paired = read_paired_scores(path, old="v1", new="v2")
    assert (paired.old.tolist(), paired.new.tolist()) == ([1], [0])
