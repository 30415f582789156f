"""The model that answered, against the one that was asked."""

import pytest

from gateway.upstreams.identity import is_same_model


@pytest.mark.parametrize(
    ("asked", "returned"),
    [
        ("gpt-4o", "gpt-4o"),
        ("gpt-4o", "gpt-4o-2024-08-06"),
        ("gpt-4", "gpt-4-0613"),
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("gpt-4o", "openai/gpt-4o"),
        ("accounts/fireworks/models/llama-v3-8b", "llama-v3-8b"),
        ("claude-3-5-sonnet-latest", "claude-3-5-sonnet-20241022"),
        ("gemini-1.5-flash", "models/gemini-1.5-flash-001"),
        ("Meta-Llama-3-8B", "meta-llama-3-8b"),
        ("smollm2", "/models/SmolLM2.gguf"),
        ("llama3.2", "llama3.2:latest"),
    ],
)
def test_another_way_to_write_a_name_is_the_same_model(asked: str, returned: str) -> None:
    assert is_same_model(asked, returned)


@pytest.mark.parametrize(
    ("asked", "returned"),
    [
        ("gpt-4o", "gpt-4o-mini"),
        ("gpt-4", "gpt-4-32k"),
        ("gpt-4o-2024-08-06", "gpt-4o-2024-11-20"),
        ("deepseek-chat", "deepseek-reasoner"),
        ("llama3.2:1b", "llama3.2:3b"),
        ("small", "small-but-dearer"),
        ("gpt-4o", "something"),
    ],
)
def test_a_different_name_is_a_different_model(asked: str, returned: str) -> None:
    assert not is_same_model(asked, returned)
