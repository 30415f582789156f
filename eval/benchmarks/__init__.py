"""One adapter per public dataset, all yielding one outcomes table.

RouterArena is not among them on purpose: it is an arena, and its data is never trained on.
"""

from .alpaca_eval import ALPACA_EVAL
from .arena_bench_v1 import ARENA_BENCH_V1
from .bfcl_2024_08 import BFCL_2024_08
from .dataset import BenchmarkTable, PublicDataset
from .llmrouter import LLMROUTER
from .mmlu_pro import MMLU_PRO
from .routellm import ROUTELLM
from .routerbench_part import ROUTERBENCH_PART
from .routerdc_7b import ROUTERDC_7B
from .zeroeval import ZEROEVAL

__all__ = ["DATASETS", "BenchmarkTable", "PublicDataset"]

DATASETS = {
    dataset.name: dataset
    for dataset in (
        ROUTELLM,
        MMLU_PRO,
        ZEROEVAL,
        LLMROUTER,
        ARENA_BENCH_V1,
        ROUTERDC_7B,
        ROUTERBENCH_PART,
        BFCL_2024_08,
        ALPACA_EVAL,
    )
}
