from datetime import date
from decimal import Decimal
from pathlib import Path

from catalog import Catalog, ModelProfile, Offer, Price
from catalog.discovery.providers import PROVIDERS, backends_for_keys, bills_calls

RATES = Price(input_usd_per_mtok=Decimal(1), output_usd_per_mtok=Decimal(2))


def sold(model_id: str, model_name: str, **facts: object) -> Offer:
    return Offer(profile_id=model_id, provider="openai", model_name=model_name, **({"price": RATES} | facts))


def catalog(tmp_path: Path, offers: dict[str, list[Offer]]) -> Catalog:
    path = tmp_path / "catalog.json"
    profiles = [ModelProfile(id=model_id, name=model_id) for model_id in offers]
    path.write_bytes(Catalog.of(profiles).pack(offers=offers))
    return Catalog.load(path)


def test_without_keys_there_are_no_backends() -> None:
    assert backends_for_keys(Catalog.load(), {"PATH": "x", "OPENAI_API_KEY": ""}) == ()


def test_a_key_opens_the_current_models_of_its_provider_under_their_shortest_name(tmp_path: Path) -> None:
    known = catalog(
        tmp_path,
        {
            "openai/new": [sold("openai/new", "new-2026-01-01"), sold("openai/new", "new")],
            "openai/old": [sold("openai/old", "old", retires=date(2026, 1, 1))],
            "openai/unpriced": [sold("openai/unpriced", "unpriced", price=None)],
            "openai/new-20260101": [sold("openai/new-20260101", "new-20260101")],
            "openai/new-latest": [sold("openai/new-latest", "new-latest")],
        },
    )
    (backend,) = backends_for_keys(known, {"OPENAI_API_KEY": "secret"})
    assert (backend.id, backend.profile_id, backend.model_name) == ("openai:new", "openai/new", "new")
    assert (backend.api_key_env, backend.price, backend.kind) == ("OPENAI_API_KEY", RATES, "openai")
    assert "secret" not in repr(backend)


def test_common_keys_meet_the_shipped_catalog() -> None:
    known = Catalog.load()
    for provider in (
        "openai",
        "anthropic",
        "gemini",
        "mistral",
        "groq",
        "deepseek",
        "together_ai",
        "openrouter",
        "xai",
    ):
        backends = backends_for_keys(known, {PROVIDERS[provider].key_variables[0]: "x"})
        assert 1 <= len(backends) <= 40, provider
        assert {backend.provider for backend in backends} == {provider}
        assert all(backend.profile_id in known for backend in backends)


def test_anthropics_key_opens_its_own_protocol() -> None:
    backends = backends_for_keys(Catalog.load(), {"ANTHROPIC_API_KEY": "x"})
    assert {(b.kind, b.base_url) for b in backends} == {("anthropic", "https://api.anthropic.com/v1")}


def test_coheres_key_opens_the_protocol_of_its_that_can_be_streamed() -> None:
    """Behind litellm every stream failed, and an answer that was cut short ended well."""
    backends = backends_for_keys(Catalog.load(), {"CO_API_KEY": "x"})
    assert {(b.kind, b.base_url) for b in backends} == {("openai", "https://api.cohere.ai/compatibility/v1")}
    assert {"cohere:command-a-03-2025", "cohere:command-r-08-2024"} <= {b.id for b in backends}


def test_a_provider_whose_key_goes_by_two_names_is_known_by_either() -> None:
    known = Catalog.load()
    for name in ("TOGETHER_API_KEY", "TOGETHERAI_API_KEY"):
        assert {b.api_key_env for b in backends_for_keys(known, {name: "k"})} == {name}


def test_a_key_whose_chats_have_ended_opens_no_backend_that_would_fail() -> None:
    assert backends_for_keys(Catalog.load(), {"PERPLEXITY_API_KEY": "k", "PERPLEXITYAI_API_KEY": "k"}) == ()


def test_who_bills_calls_is_known_by_name() -> None:
    assert [bills_calls(name) for name in ("openrouter", "xai", "perplexity")] == [True] * 3
    assert [bills_calls(name) for name in ("openai", "nobody", "")] == [False] * 3
