"""Real questions from Chatbot Arena, answered by 14 models and marked by GPT-4."""

from .dataset import PublicDataset

__all__ = ["ARENA_BENCH_V1"]

ARENA_BENCH_V1 = PublicDataset(
    name="arena_bench_v1",
    source="github.com/lmarena/arena-hard-auto, commit 4a705dd",
    licence="Apache-2.0",
    may_train_shipped=True,
    note="The judge's reference answer is GPT-4's, which favours that family. 233 prompts: wide intervals.",
)
