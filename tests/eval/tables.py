"""Small tables with known answers."""

import numpy as np
import polars as pl

from eval.outcomes.table import ReplayTable
from predictors.outcomes import Outcomes

WORDS = {"maths": "integral matrix theorem prime", "poem": "rose moon sonnet verse"}


def specialists(n_per_kind: int = 60) -> ReplayTable:
    """`abacus` is right on all maths, `bard` on all poems; `sage` is right on both and costs ten times as much."""
    rng = np.random.default_rng(5)
    rows = []
    for kind, words in WORDS.items():
        for i in range(n_per_kind):
            picked = " ".join(rng.permutation(words.split())[:3])
            for model, right, cost in (
                ("abacus", kind == "maths", 0.001),
                ("bard", kind == "poem", 0.001),
                ("sage", True, 0.01),
            ):
                rows.append(
                    {
                        "prompt_id": f"{kind}/{i:03}",
                        "group_key": f"{kind}-{i}",
                        "prompt": f"{picked} number {i}",
                        "benchmark": kind,
                        "model": model,
                        "score": float(right),
                        "cost_usd": cost,
                    }
                )
    return ReplayTable.from_outcomes(Outcomes.from_table(pl.DataFrame(rows)), name="specialists")
