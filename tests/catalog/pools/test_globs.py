import pytest

from catalog import is_meant


@pytest.mark.parametrize(
    "glob",
    [
        "openai/gpt-4o-mini",
        "OpenAI/GPT-4o-mini",
        "gpt-4o-mini",
        "GPT-4o*",
        "openai/*",
        "*mini",
        "*",
        "gpt-4o-mini-2024*",
    ],
)
def test_a_model_is_meant_by_its_id_its_name_alone_or_a_pattern_in_any_case(glob: str) -> None:
    assert is_meant(("openai/gpt-4o-mini", "gpt-4o-mini-20240718"), ("no/such", glob))


@pytest.mark.parametrize("glob", ["openai/gpt-4o", "gpt-4o", "openai", "gpt-4o-?", "anthropic/*", ""])
def test_another_model_is_not(glob: str) -> None:
    assert not is_meant(("openai/gpt-4o-mini", "gpt-4o-mini-20240718"), (glob,))
