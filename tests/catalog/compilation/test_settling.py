from typing import Any

import pytest

from catalog import ModelProfile
from catalog.compilation.rows import rank, seen_from
from catalog.compilation.settling import settled_profile


def row(provider: str, *, source: str = "models.dev", **facts: Any) -> dict[str, Any]:
    rates = ("price_in", "price_out", "price_cached_in", "price_cache_write")
    unknown = (
        "family", "name", "licence", "open_weights", "context", "max_output", "modalities_in", "modalities_out",
        "tool_call", "reasoning", "structured_output",
    )  # fmt: skip
    stated = dict.fromkeys(unknown) | {f"{rate}_usd_per_mtok": None for rate in rates}
    return {"source": source, "provider": provider, "source_date": "2026-07-02", **stated, **facts}


def settled(owner: str, key: str, *rows: dict[str, Any]) -> ModelProfile:
    return settled_profile(key, owner, seen_from(owner, rows), (), aliases=())


def test_a_maker_that_sells_anothers_model_is_a_mere_host_of_it() -> None:
    rows = seen_from("meta-llama", [row("nvidia"), row("llama"), row("", source="llm-stats")])
    assert [(each["provider"], rank(each)) for each in rows] == [("llama", 1), ("", 3), ("nvidia", 9)]
    stated = (row("nvidia", context=16_000), row("", source="helm", context=131_072))
    profile = settled("meta-llama", "llama-3.1-8b-instruct", *stated)
    assert profile.context_tokens == 131_072


@pytest.mark.parametrize(
    ("limits", "settles_at"),
    [
        ([131_072, 131_000, 128_000, 32_768], 131_072),  # three say about the same, two of them rounded
        ([32_768, 163_840], 163_840),  # even: who offers more has it
        ([8_192, 128_000, 1_000_000], 128_000),  # nobody agrees: the middle
    ],
)
def test_of_hosts_limits_the_commonest_counts(limits: list[int], settles_at: int) -> None:
    rows = [row(f"host{i}", context=limit) for i, limit in enumerate(limits)]
    assert settled("acme", "acme-1", *rows).context_tokens == settles_at


def test_closed_weights_have_no_other_licence() -> None:
    profile = settled("google", "gemini-2.5-flash-lite", row("(base)/google", open_weights=False, licence="mit"))
    assert (profile.open_weights, profile.license) == (False, "proprietary")


@pytest.mark.parametrize(
    ("owner", "key", "closed"),
    [
        ("anthropic", "claude-opus-4.5", True),
        ("openai", "gpt-5-mini", True),
        ("openai", "gpt-oss-120b", None),
        ("google", "gemini-gemma-2-9b-it", None),
        ("x-ai", "grok-2", None),
    ],
)
def test_families_whose_makers_publish_no_weights_are_closed_though_nobody_says_so(
    owner: str, key: str, closed: bool | None
) -> None:
    profile = settled(owner, key, row("somehost"))
    assert (profile.open_weights is False) == bool(closed)
    assert (profile.license == "proprietary") == bool(closed)
