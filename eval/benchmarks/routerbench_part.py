"""The part of RouterBench that RouterDC redistributes: eleven models on ARC-Challenge and MBPP, with real costs."""

from .dataset import PublicDataset

__all__ = ["ROUTERBENCH_PART"]

ROUTERBENCH_PART = PublicDataset(
    name="routerbench_part",
    source="github.com/shuhao02/RouterDC, datasets/routerbench_zs, commit 0e63989",
    licence="none stated: unknown",
    may_train_shipped=False,
    note="The costs of ARC include solved examples that the prompt here lacks.",
)
