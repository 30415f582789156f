"""MMLU-Pro: 29 models on ten-option questions with reasoning."""

from .dataset import PublicDataset

__all__ = ["MMLU_PRO"]

MMLU_PRO = PublicDataset(
    name="mmlu_pro",
    source="github.com/TIGER-AI-Lab/MMLU-Pro, eval_results, commit f418b11",
    licence="Apache-2.0 (questions MIT)",
    may_train_shipped=True,
    note="An answer that could not be extracted scores 0. DeepSeek-Coder-V2 lacks about 14 % of the prompts.",
)
