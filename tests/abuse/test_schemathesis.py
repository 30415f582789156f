"""Requests generated from our own OpenAPI document: no 5xx, and every answer as the document says."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.upstreams.fake import FakeProvider
from tests.gateway.running import backend, running
from tests.waiting import AT_MOST_S

pytestmark = pytest.mark.loopback

BOUNDED = settings(
    max_examples=10,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gateway in a thread, since the generated calls block."""
    found: list[str] = []
    ready, done = Event(), Event()
    folder: Path = tmp_path_factory.mktemp("schemathesis")

    async def serve() -> None:
        async with FakeProvider() as provider, running(backend("cheap", provider.url), tmp_path=folder) as gateway:
            found.append(gateway.url)
            ready.set()
            await asyncio.to_thread(done.wait)

    thread = Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    assert ready.wait(AT_MOST_S)
    yield found[0]
    done.set()
    thread.join(AT_MOST_S)


def test_what_the_document_allows_is_answered_as_the_document_says(url: str) -> None:
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    seen: set[str] = set()
    for result in schema.get_all_operations():
        operation = result.ok()

        @given(case=operation.as_strategy())
        @BOUNDED
        def call(case: schemathesis.Case) -> None:
            response = case.call(base_url=url)
            case.validate_response(response, checks=list(CHECKS))

        call()
        seen.add(operation.path)
    assert {"/v1/chat/completions", "/v1/messages", "/v1/responses", "/v1/feedback", "/v1/models"} <= seen
