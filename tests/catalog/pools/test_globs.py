import pytest

from catalog import first_meant, is_meant
from tests.effort import calls_made


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


@pytest.mark.parametrize(
    ("globs", "place"),
    [
        (("gpt-4o-mini", "openai/*"), 0),
        (("no/such", "OpenAI/*", "gpt-4o-mini"), 1),
        (("no/such", "openai/gpt-4o-mini", "openai/*", "GPT-4O-MINI"), 1),
        (("no/such", "*nothing*"), 2),
        ((), 0),
    ],
)
def test_the_first_that_means_a_model_is_told_by_its_place(globs: tuple[str, ...], place: int) -> None:
    assert first_meant(("openai/gpt-4o-mini",), globs) == place


def test_a_hundred_patterns_are_asked_at_once() -> None:
    def calls(n_patterns: int) -> int:
        globs = tuple(f"*nothing*{i}*" for i in range(n_patterns))
        assert not is_meant(("openai/gpt-4o-mini",), globs)  # what is compiled once
        return calls_made(lambda: is_meant(("openai/gpt-4o-mini",), globs)) + calls_made(
            lambda: first_meant(("openai/gpt-4o-mini",), globs)
        )

    assert calls(100) == calls(1)
