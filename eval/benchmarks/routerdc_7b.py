"""RouterDC's pool: seven open models of 7B to 8B, which cost the same and differ in what they are good at."""

from types import MappingProxyType

from .dataset import PublicDataset

__all__ = ["ROUTERDC_7B"]

_CHOICE = ("arc_challenge", "arc_easy", "cmmlu", "mmlu")
_WRITTEN = ("gsm8k", "humaneval", "humaneval_js", "mbpp")

ROUTERDC_7B = PublicDataset(
    name="routerdc_7b",
    source="github.com/shuhao02/RouterDC, datasets/split2_model7, commit 0e63989",
    licence="none stated: unknown",
    may_train_shipped=False,
    note="Multiple-choice scores are confidences in the right option. Answers of 1 or 200 tokens are assumed.",
    assumed_output_chars=MappingProxyType(dict.fromkeys(_CHOICE, 4.0) | dict.fromkeys(_WRITTEN, 800.0)),
)
