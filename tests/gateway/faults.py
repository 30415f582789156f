"""What an upstream may do wrong, and one request through a gateway whose first choice does it.

For the fault matrices: `test_faults` and its like, one for each protocol and kind of backend.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from catalog import Limits
from gateway.upstreams.fake import FakeProvider, Misbehaviour
from tests.gateway.running import CHAT, HI, ListJournal, backend, running
from tests.gateway.wire.chats import events_in

__all__ = ["BEFORE_CONTENT", "MIDWAY", "ONLY_WHOLE", "Seen", "ask", "cases", "limits_for"]

BEFORE_CONTENT = {
    "reset": Misbehaviour(fault="reset"),
    "slow first token": Misbehaviour(fault="slow_first_token", delay_s=60.0),
    "429": Misbehaviour(fault="status", status=429),
    "429 with Retry-After": Misbehaviour(fault="status", status=429, retry_after="30"),
    "500": Misbehaviour(fault="status", status=500),
    "502": Misbehaviour(fault="status", status=502),
    "503": Misbehaviour(fault="status", status=503),
    "529": Misbehaviour(fault="status", status=529),
    "401": Misbehaviour(fault="status", status=401),
    "404": Misbehaviour(fault="status", status=404),
    "wrong content type": Misbehaviour(fault="wrong_content_type"),
    "error in a 200": Misbehaviour(fault="error_in_200"),
    "empty": Misbehaviour(fault="empty"),
}
ONLY_WHOLE = {
    "malformed JSON": Misbehaviour(fault="malformed_json"),
    "truncated": Misbehaviour(fault="truncated_stream"),
    "oversized": Misbehaviour(fault="oversized", size_bytes=65 << 20),
}
MIDWAY = {
    "malformed chunk": Misbehaviour(fault="malformed_chunk"),
    "truncated": Misbehaviour(fault="truncated_stream"),
    "cut": Misbehaviour(fault="cut_stream"),
    "error object": Misbehaviour(fault="error_in_stream"),
    "stall": Misbehaviour(fault="stall", delay_s=60.0),
    "oversized": Misbehaviour(fault="oversized", size_bytes=17 << 20),
}
# Only what is about time gets little of it: on a busy machine a healthy backend may take a second to begin. That little
# must still do for it to be asked, and to say what it says before it falls silent; the silence outlasts any test.
_LITTLE_TIME = {
    "slow_first_token": Limits(timeout_s=2.5, first_token_timeout_s=2.5),
    "stall": Limits(stall_timeout_s=2.5),
}


def limits_for(how: Misbehaviour) -> Limits:
    return _LITTLE_TIME.get(how.fault, Limits())


def cases(table: dict[str, Misbehaviour]) -> list[object]:
    return [pytest.param(how, id=name) for name, how in table.items()]


_ASKS: dict[str, dict[str, Any]] = {
    CHAT: {"messages": HI},
    "/v1/messages": {"max_tokens": 9, "messages": HI},
    "/v1/responses": {"input": "hi"},
}


class Seen(NamedTuple):
    """What came of a request."""

    answer: httpx.Response
    journal: ListJournal
    asked: tuple[int, int]  # how often the strong and the cheap backend were

    @property
    def words(self) -> str:
        """Those of a whole answer to Messages or Responses."""
        told = self.answer.json()
        blocks = told["content"] if "content" in told else told["output"][0]["content"]
        return str(blocks[0]["text"])

    @property
    def events(self) -> list[dict[str, Any]]:
        """Those of a streamed one."""
        return events_in(self.answer.content)


async def ask(
    tmp_path: Path,
    door: str,
    how: Misbehaviour,
    *,
    stream: bool,
    provider: FakeProvider | None = None,
    kind: str = "openai",
    **routing: object,
) -> Seen:
    """Ask for the best model, whose provider misbehaves once; a cheap one, at another provider, is well."""
    async with (
        provider or FakeProvider(words=("strong",)) as strong,
        FakeProvider(words=("cheap",)) as cheap,
        running(
            replace(backend("strong", strong.url, limits=limits_for(how)), kind=kind),
            backend("cheap", cheap.url, limits=Limits()),
            tmp_path=tmp_path,
        ) as gateway,
    ):
        strong.misbehave(how)
        body = {"model": "auto", "stream": stream, "routing": {"policy": "best", **routing}, **_ASKS[door]}
        answer = await gateway.client.post(door, json=body)
        return Seen(answer, gateway.journal, (len(strong.requests), len(cheap.requests)))
