"""ZeroEval: 57 models of 2024 on GSM8K and MATH level 5."""

from .dataset import PublicDataset

__all__ = ["ZEROEVAL"]

ZEROEVAL = PublicDataset(
    name="zeroeval",
    source="github.com/WildEval/ZeroEval, result_dirs, commit 8c1485e",
    licence="Apache-2.0 (GSM8K and MATH: MIT)",
    may_train_shipped=True,
    note="44 models answered GSM8K, 43 MATH level 5, 30 both. A model is a candidate where it answered.",
)
