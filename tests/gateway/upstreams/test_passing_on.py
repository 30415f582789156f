import pytest

from catalog import Backend
from gateway.upstreams.passing_on import carried_headers, passed_on
from tests.gateway.running import HI, pair

SENT = {
    "authorization": "Bearer client-key",
    "x-api-key": "client-key",
    "cookie": "session=1",
    "anthropic-version": "2023-06-01",
    "anthropic-beta": "context-1m",
    "openai-beta": "assistants=v2",
    "openai-organization": "org-1",  # another of ours, with another bill and other rules of retention
    "openai-project": "proj-1",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
}


def at(provider: str, **headers: str) -> Backend:
    return Backend(id="b", profile_id="a/b", kind="openai", provider=provider, model_name="b", headers=headers)


@pytest.mark.parametrize(
    ("provider", "gets"),
    [
        ("anthropic", {"anthropic-version", "anthropic-beta", "traceparent"}),
        ("openai", {"openai-beta", "traceparent"}),
        ("local", {"traceparent"}),
    ],
)
def test_a_backend_gets_the_headers_of_its_own_protocol(provider: str, gets: set[str]) -> None:
    assert set(passed_on(carried_headers(SENT), at(provider))) == gets


def test_what_the_operator_configured_is_not_a_clients_to_change() -> None:
    passed = passed_on(carried_headers(SENT), at("openai", **{"OpenAI-Beta": "ours"}))
    assert set(passed) == {"traceparent"}


def test_a_clients_key_is_never_carried() -> None:
    assert "client-key" not in str(carried_headers(SENT))
    assert not carried_headers({"authorization": "Bearer client-key"})


@pytest.mark.loopback
async def test_protocol_headers_reach_the_backend_and_keys_do_not(tmp_path) -> None:
    async with pair(tmp_path, api_keys={"strong": "sk-ours"}) as (gateway, strong, _):
        await gateway.client.post("/v1/chat/completions", json={"model": "auto", "messages": HI}, headers=SENT)
    received = strong.request_headers[0]
    assert received["traceparent"] == SENT["traceparent"]
    assert received["authorization"] == "Bearer sk-ours"
    assert not {"x-api-key", "cookie", "anthropic-version", "openai-organization"} & set(received)
