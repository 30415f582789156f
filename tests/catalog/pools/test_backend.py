"""Where a backend is asked, and what is told of it."""

import pytest

from catalog import Backend, InvalidProfileError
from catalog.pools.backend import BackendKind


def at(base_url: str | None) -> Backend:
    return Backend(id="b", profile_id="x/m", kind="openai", provider="x", model_name="m", base_url=base_url)


@pytest.mark.parametrize(
    ("base_url", "address", "shown"),
    [
        ("https://h/v1", "https://h/v1/x", "https://h/v1"),
        ("http://[::1]:8000/v1/", "http://[::1]:8000/v1/x", "http://[::1]:8000/v1/"),
        ("https://h/v1?api-version=2&key=secret", "https://h/v1/x?api-version=2&key=secret", "https://h/v1"),
        ("https://me:s@cret@h:1/v1", "https://me:s@cret@h:1/v1/x", "https://h:1/v1"),
        ("https://h", "https://h/x", "https://h"),
    ],
)
def test_an_address_keeps_its_query_and_is_told_without_what_may_be_secret(
    base_url: str, address: str, shown: str
) -> None:
    assert (at(base_url).address("/x"), at(base_url).shown_url) == (address, shown)
    assert at(None).shown_url is None


@pytest.mark.parametrize("odd", ["b\x1b[2J", "b\nc", "b\u202ec", "b" * 501])
def test_an_id_that_no_header_or_log_can_bear_is_refused(odd: str) -> None:
    with pytest.raises(InvalidProfileError, match="at most 500 characters to show"):
        Backend(id=odd, profile_id="o/m", kind="vllm", provider="o", model_name="m", base_url="http://x/v1")


@pytest.mark.parametrize(
    ("kind", "provider", "profile", "tells"),
    [
        *[("openai", "openai", f"openai/{name}", True) for name in ("gpt-4o-mini", "gpt-4.1", "gpt-5-chat", "gpt-5.1")],
        *[("openai", "openai", f"openai/{name}", False) for name in ("gpt-5", "gpt-5-mini", "o3", "gpt-5.2-pro")],
        ("litellm", "azure", "openai/gpt-4o", True),
        ("litellm", "azure", "openai/o3", False),
        ("openai", "deepseek", "deepseek/deepseek-chat", True),
        ("openai", "deepseek", "deepseek/deepseek-reasoner", False),
        ("openai", "groq", "openai/gpt-4o", False),  # whoever serves it there, refuses it
        ("anthropic", "anthropic", "anthropic/claude-3", False),
    ],
)
def test_logprobs_are_told_where_the_provider_says_so(
    kind: BackendKind, provider: str, profile: str, tells: bool
) -> None:
    name = profile.partition("/")[2]
    backend = Backend(id="b", profile_id=profile, kind=kind, provider=provider, model_name=name, base_url="http://h/v1")
    assert ("logprobs" in backend.abilities) is tells
