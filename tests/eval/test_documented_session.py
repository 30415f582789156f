"""The manual's session in Python runs as it stands, and the table that it describes is the one that is read."""

import re
import runpy
from pathlib import Path

import polars as pl
import pytest

from predictors.outcomes import OPTIONAL_COLUMNS, REQUIRED_COLUMNS

PAGE = (Path(__file__).parents[2] / "docs" / "replay.md").read_text(encoding="utf-8")


def test_a_router_of_ones_own_is_replayed_beside_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {"prompt": f"{kind} number {i}", "model": model, "score": score, "cost_usd": cost}
        for i in range(30)
        for kind in ("sum", "verse")
        for model, score, cost in (("a", float(kind == "sum"), 0.1), ("b", float(i % 3 > 0), 0.2))
    ]
    pl.DataFrame(rows).write_csv(tmp_path / "mine.csv")
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "session.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    runpy.run_path("session.py")
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in said] == [
        "paretogate", "means", "length_threshold", "mixture_of_single_models", "ours",
    ]  # fmt: skip
    assert re.fullmatch(r"ours less mine Interval\(lower=\S+, upper=\S+\)", said[-1])
    assert "<svg" in (tmp_path / "mine.html").read_text()
    written = pl.read_parquet(tmp_path / "mine.parquet")
    (columns,) = re.findall(r"operating point: `(dataset, [^`]+)`", PAGE)
    assert columns.split(", ") == written.columns
    assert {"paretogate/best", "means/best"} <= set(written["policy"])


def test_the_manual_has_every_column_of_the_table_of_outcomes() -> None:
    section = PAGE.partition("## Your own outcomes")[2].partition("\n### ")[0]
    told = [
        name for row in re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    ]
    assert sorted(told) == sorted((*REQUIRED_COLUMNS, *OPTIONAL_COLUMNS))
