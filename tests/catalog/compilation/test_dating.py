from datetime import date
from typing import Any

import pytest

from catalog import ModelProfile
from catalog.compilation.dating import day_in_name, with_dates
from catalog.finding import Finding


def row(source: str, released: str | None, *, knows: str | None = None, provider: str = "") -> dict[str, Any]:
    return {
        "source": source, "provider": provider, "release_date": released, "knowledge_cutoff": knows,
        "source_date": "2026-07-02",
    }  # fmt: skip


def dated(name: str, *rows: dict[str, Any]) -> tuple[ModelProfile, list[Finding]]:
    refused: list[Finding] = []
    return with_dates(ModelProfile(id=f"acme/{name}", name=name), rows, refused), refused


def test_the_date_that_most_sources_agree_on_counts_and_the_other_is_told() -> None:
    rows = (row("llm-stats", "2025-01-10"), row("helm", "2025-08-21"), row("epoch", "2025-08-21"))
    profile, refused = dated("deepseek-v3.1", *rows)
    assert profile.released == date(2025, 8, 21)
    assert profile.provenance["released"].source == "helm"
    assert [str(finding) for finding in refused] == [
        "models.parquet: acme/deepseek-v3.1: released: llm-stats states 2025-01-10; taken as 2025-08-21, helm"
    ]


def test_where_sources_are_even_the_nearest_to_the_maker_counts() -> None:
    profile, _ = dated("x", row("llm-stats", "2024-05-08"), row("epoch", "2024-09-06"))
    assert profile.released == date(2024, 5, 8)


def test_one_source_has_one_voice_however_many_entries() -> None:
    own = [row("models.dev", "2023-11-06", provider=p) for p in ("(base)/openai", "openai")]
    profile, _ = dated("gpt-4-turbo", *own, row("llm-stats", "2024-04-09"), row("inspect_ai", "2024-04-09"))
    assert profile.released == date(2024, 4, 9)


def test_a_first_of_january_is_a_placeholder() -> None:
    profile, _ = dated("sonar-pro", row("models.dev", "2024-01-01", provider="perplexity"), row("epoch", "2025-01-21"))
    assert profile.released == date(2025, 1, 21)


def test_a_date_in_the_name_has_the_last_word() -> None:
    rows = (row("models.dev", "2024-11-01", provider="mistral"), row("helm", "2025-12-02"))
    assert dated("mistral-large-2512", *rows)[0].released == date(2025, 12, 2)
    profile, _ = dated("mistral-large-2402", row("helm", "2023-07-26"))
    assert profile.released == date(2024, 2, 1)  # nobody agrees with the name
    assert profile.provenance["released"].trust.name == "INFERRED"


def test_a_whole_date_is_preferred_to_a_month_that_agrees() -> None:
    profile, _ = dated("x", row("models.dev", "2025-04", provider="alibaba"), row("llm-stats", "2025-04-28"))
    assert profile.released == date(2025, 4, 28)


def test_hosts_count_only_where_nobody_else_speaks_and_then_the_most_of_them() -> None:
    days = {"kilo": "2025-12-01", "novita": "2025-12-03", "abacus": "2025-06-15"}
    hosts = [row("models.dev", day, provider=provider) for provider, day in days.items()]
    assert dated("x", *hosts)[0].released == date(2025, 12, 1)
    assert dated("x", *hosts[1:])[0].released == date(2025, 6, 15)  # even: the first to sell it
    assert dated("x", *hosts, row("epoch", "2024-02-26"))[0].released == date(2024, 2, 26)


def test_knowledge_cannot_end_after_the_release() -> None:
    early = row("llm-stats", "2024-03-15", knows="2024-10-01")
    profile, refused = dated("x", early, row("helm", None, knows="2023-11"))
    assert profile.knowledge_cutoff == date(2023, 11, 1)
    assert "knowledge_cutoff" in str(refused[0])
    assert dated("x", early)[0].knowledge_cutoff is None


def test_a_placeholder_gives_way_to_a_cutoff() -> None:
    profile, _ = dated("sonar", row("models.dev", "2024-01-01", knows="2025-09-01", provider="(base)/perplexity"))
    assert profile.released is None
    assert profile.knowledge_cutoff == date(2025, 9, 1)


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("acme/claude-3.7-sonnet-20250219", date(2025, 2, 19)),
        ("acme/qwen3-4b-thinking-2507", date(2025, 7, 1)),
        ("acme/gpt-4-0613", None),  # month and day
        ("acme/olmo-2-1124-13b", None),  # month and year
        ("acme/gpt-5-mini", None),
    ],
)
def test_days_in_names(name: str, day: date | None) -> None:
    assert day_in_name(name) == day
