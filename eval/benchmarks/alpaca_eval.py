"""AlpacaEval 2: 56 models judged against GPT-4 Turbo on instructions."""

from .dataset import PublicDataset

__all__ = ["ALPACA_EVAL"]

ALPACA_EVAL = PublicDataset(
    name="alpaca_eval",
    source="github.com/tatsu-lab/alpaca_eval, results, commit cd543a1",
    licence="code Apache-2.0, data CC BY-NC 4.0: non-commercial",
    may_train_shipped=False,
    note="Only the second edition: the first has another baseline and its scores do not compare.",
    benchmarks=frozenset({"alpaca_eval_2"}),
)
