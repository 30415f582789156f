"""LLMRouter: nine open models of 7B to 70B on twelve tasks."""

from types import MappingProxyType

from .dataset import PublicDataset

__all__ = ["LLMROUTER"]

_TASKS = (
    "agentverse-mgsm",
    "arc_challenge",
    "commongen",
    "commonsense_qa",
    "gsm8k",
    "human_eval",
    "math",
    "mbpp",
    "mmlu",
    "natural_qa",
    "openbook_qa",
    "trivia_qa",
)

LLMROUTER = PublicDataset(
    name="llmrouter",
    source="github.com/ulab-uiuc/LLMRouter, data/dcrouter_preprocessed, commit 4e7a796",
    licence="MIT",
    may_train_shipped=True,
    note="The source keeps no lengths: an answer of 200 tokens is assumed of every model.",
    assumed_output_chars=MappingProxyType(dict.fromkeys(_TASKS, 800.0)),
)
