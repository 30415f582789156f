from decimal import Decimal

from catalog.discovery.embedders import embedders_for_keys


def test_a_key_opens_its_providers_embedders_with_price_and_length() -> None:
    found = {profile.id: (profile, backend) for profile, backend in embedders_for_keys({"OPENAI_API_KEY": "hush"})}
    profile, backend = found["openai/text-embedding-3-small"]
    assert profile.modalities_out == {"embedding"}
    assert (backend.model_name, backend.api_key_env) == ("text-embedding-3-small", "OPENAI_API_KEY")
    assert backend.price is not None
    assert backend.price.input_usd_per_mtok == Decimal("0.02")
    assert "hush" not in repr(found)


def test_without_a_key_there_are_none() -> None:
    assert embedders_for_keys({"OPENAI_API_KEY": ""}) == ()


def test_one_model_at_two_hosts_is_one_profile() -> None:
    found = embedders_for_keys({"NEBIUS_API_KEY": "k", "NOVITA_API_KEY": "k"})
    hosts = [backend.provider for profile, backend in found if profile.id == "qwen/qwen3-embedding-8b"]
    assert hosts == ["nebius", "novita"]
