"""How well a model is forecast that nobody has tried, from its profile alone and after a few probes.

    python -m eval.newcomers mmlu_pro zeroeval bfcl_2024_08 --data DIR

Three questions, each answered without the predicted benchmark's own figures in any profile: how far the forecast mean
score is off (`levels`), what single answers are forecast to be (`answers`), and what probing is worth (`probing`).
"""

from .benchmark import OWN_FIGURES, Benchmark, read_benchmark
from .probing import BUDGETS, Newcomer, ProbingWorth, probing_worth
from .splits import SPLITS, left_out

__all__ = [
    "BUDGETS",
    "OWN_FIGURES",
    "SPLITS",
    "Benchmark",
    "Newcomer",
    "ProbingWorth",
    "left_out",
    "probing_worth",
    "read_benchmark",
]
