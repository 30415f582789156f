"""The Berkeley function-calling leaderboard of August 2024, with real tokens, costs and latencies."""

from .dataset import PublicDataset

__all__ = ["BFCL_2024_08"]

BFCL_2024_08 = PublicDataset(
    name="bfcl_2024_08",
    source="github.com/HuanzhiMao/BFCL-Result, 2024-08-11, commit b4adfc9",
    licence="results: none stated, unknown (questions Apache-2.0)",
    may_train_shipped=False,
    note="Only the priced pool: locally hosted models have neither token counts nor times.",
    stated_costs_only=True,
)
