import os
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from eval.outcomes.table import ReplayTable
from eval.robustness.shortening import main, study
from predictors.outcomes import Outcomes

_DATA = Path(os.environ.get("PARETOGATE_DATA", "../shared/data"))
_WORDS = {
    "maths": "integral matrix theorem prime number equation algebra geometry vector sum product fraction root",
    "poem": "rose moon sonnet verse love night river autumn heart shadow whisper dream sorrow petal ocean wind silence",
}


def _table(n: int) -> ReplayTable:
    """Every prompt is about maths, which everybody knows, or a poem, which nobody does."""
    rng = np.random.default_rng(3)
    rows = []
    for i in range(n):
        kind = ("maths", "poem")[i % 2]
        prompt = " ".join([*rng.choice(_WORDS[kind].split(), size=int(rng.integers(8, 24))), str(i)])
        for model in ("abacus", "bard"):
            rows.append(
                {
                    "prompt_id": f"{i:03}",
                    "group_key": str(i),
                    "prompt": prompt,
                    "benchmark": kind,
                    "model": model,
                    "score": float(kind == "maths"),
                    "cost_usd": 0.001,
                }
            )
    return ReplayTable.from_outcomes(Outcomes.from_table(pl.DataFrame(rows)), name="ends")


def test_a_budget_beyond_every_prompt_changes_nothing_and_a_tiny_one_does() -> None:
    whole, tiny = study(_table(600), longer_than=150, budgets=(5_000, 12), n_folds=3)
    assert whole.n_prompts == tiny.n_prompts > 20
    assert (whole.brier_more, whole.same_choice, whole.score_more) == (0.0, 1.0, 0.0)
    assert tiny.brier_more > 0.01
    assert tiny.brier_more_95.lower > 0.0


def test_no_prompt_is_long_enough() -> None:
    assert study(_table(20), longer_than=100_000, n_folds=2) == []


@pytest.mark.skipif(not (_DATA / "routing").is_dir(), reason="the public datasets are not here; set PARETOGATE_DATA")
def test_the_table_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["arena_bench_v1", "--data", str(_DATA), "--longer-than", "1200"]) == 0
    out = capsys.readouterr().out
    assert len(re.findall(r"^\| arena_bench_v1, \d+ \| [\d,]+ \| 0\.\d{4} \|", out, flags=re.MULTILINE)) == 4


def test_an_unknown_dataset_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nothing", "--data", str(tmp_path)]) == 1
    assert "nothing" in capsys.readouterr().err
