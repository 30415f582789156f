"""What names tell of thinking: one of each family that has a name for it, and their kin that answer at once."""

import pytest

from catalog import Catalog, ModelProfile
from catalog.compilation.from_name import NAMED
from catalog.compilation.thinking import thinks_by_name, with_thinking
from catalog.profiles.merge import merge_profiles
from catalog.profiles.provenance import Provenance, Trust

HOSTS = Provenance(source="most hosts", trust=Trust.SELF_REPORTED)


@pytest.mark.parametrize(
    "name",
    [
        "deepseek-r1", "deepseek-r1-distill-qwen-7b", "qwq-32b-preview", "qvq-72b-preview", "magistral-small-2506",
        "grok-4", "grok-4-fast-reasoning-latest", "grok-3-mini-beta", "gemini-2.5-deep-think-20250801-webapp", "o1",
        "o3-mini", "exaone-deep-32b", "qwen3-1.7b", "qwen3-235b-a22b-fp8-tput", "qwen3.5-35b-a3b-lora", "glm-4.5-x",
        "phi-4-reasoning-plus", "kimi-k2-thinking", "seed-oss-36b-instruct", "nemotron-nano-12b-v2",
    ],
)  # fmt: skip
def test_the_name_tells_that_a_model_thinks(name: str) -> None:
    assert thinks_by_name(name) is True


@pytest.mark.parametrize(
    "name", ["grok-4-fast-non-reasoning-latest", "deepseek-v4-pro-thinking-disabled", "qwen3.5-9b-thinking-disabled"]
)
def test_the_name_tells_that_a_model_was_told_not_to_think(name: str) -> None:
    assert thinks_by_name(name) is False


@pytest.mark.parametrize(
    "name",
    [
        "qwen3-235b-a22b-instruct-2507", "qwen3-235b-a22b-2507", "qwen3-8b-base", "qwen3-coder-30b-a3b", "qwen3-max",
        "qwen3-next-80b-a3b-instruct", "qwen3.5-2b-lora", "grok-3", "grok-2-mini", "gpt-4o", "o-model", "glm-4-9b-chat",
        "command-r", "kimi-k2-instruct", "deepseek-v3", "gemini-2.0-flash", "nemotron-3-content-safety",
        "nemotron-content-safety-reasoning-4b", "minimax-m2-her", "llama-3.1-8b-instruct", "seed-1.5-lite",
    ],
)  # fmt: skip
def test_of_others_the_name_tells_nothing(name: str) -> None:
    assert thinks_by_name(name) is None


def test_what_the_name_tells_is_marked_as_such_and_leaves_the_source_of_the_rest() -> None:
    sold = ModelProfile(
        id="qwen/qwq-32b",
        name="QwQ",
        capabilities=frozenset({"streaming", "tools"}),
        provenance={"capabilities": HOSTS},
    )
    told = with_thinking(sold)
    assert told.capabilities == {"streaming", "tools", "reasoning"}
    assert told.provenance == {"capabilities": HOSTS, "capabilities.reasoning": NAMED}
    assert with_thinking(told) is told


def test_a_model_of_which_nobody_states_anything_has_the_name_as_its_only_source() -> None:
    told = with_thinking(ModelProfile(id="x-ai/grok-4-latest", name="Grok 4"))
    assert told.capabilities == {"streaming", "reasoning"}
    assert told.provenance == {"capabilities": NAMED}


def test_a_name_that_says_it_was_told_not_to_takes_the_capability_away() -> None:
    able = frozenset({"streaming", "reasoning"})
    told = with_thinking(ModelProfile(id="x-ai/grok-9-non-reasoning", name="Grok", capabilities=able))
    assert told.capabilities == {"streaming"}


def test_whoever_restates_the_capabilities_takes_over_what_the_name_told() -> None:
    named = with_thinking(ModelProfile(id="qwen/qwq-32b", name="qwq-32b", provenance={"capabilities": HOSTS}))
    mine = Provenance(source="mine", trust=Trust.OPERATOR)
    stated = ModelProfile(id="qwen/qwq-32b", name="qwq-32b", provenance={"capabilities": mine})
    merged = merge_profiles(named, stated)
    assert merged.capabilities == {"streaming"}
    assert merged.provenance == {"capabilities": mine}


def test_the_shipped_catalog_knows_the_thinking_models_and_their_kin_apart() -> None:
    catalog = Catalog.load()
    thinking = ("x-ai/grok-4", "x-ai/grok-3-mini", "qwen/qwq-32b", "deepseek/deepseek-r1-distill-qwen-14b", "openai/o3")
    at_once = ("x-ai/grok-3", "deepseek/deepseek-v4-pro-thinking-disabled", "qwen/qwen3-4b-instruct-2507")
    assert all("reasoning" in catalog[model].capabilities for model in thinking)
    assert not any("reasoning" in catalog[model].capabilities for model in at_once)
