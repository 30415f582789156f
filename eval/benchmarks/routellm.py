"""RouteLLM's evaluation: one weak and one strong model on MMLU and GSM8K."""

from types import MappingProxyType

from .dataset import PublicDataset

__all__ = ["ROUTELLM"]

ROUTELLM = PublicDataset(
    name="routellm",
    source="github.com/lm-sys/RouteLLM, routellm/evals, commit 0b64fda",
    licence="Apache-2.0",
    may_train_shipped=True,
    note="The published evaluation leaves out a few prompts that resemble its training prompts; they are kept here.",
    assumed_output_chars=MappingProxyType({"mmlu": 4.0}),  # one option letter
    weak_model="mistralai/Mixtral-8x7B-Instruct-v0.1",
    strong_model="gpt-4-1106-preview",
)
