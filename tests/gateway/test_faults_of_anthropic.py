"""The fault matrix again, before Anthropic itself: clients of each protocol, whose words pass or are translated."""

from pathlib import Path

import pytest

from gateway.upstreams.fake import Misbehaviour
from tests.gateway.anthropic_provider import FakeAnthropic
from tests.gateway.faults import BEFORE_CONTENT, MIDWAY, ONLY_WHOLE, Seen, ask, cases

pytestmark = pytest.mark.loopback

_ENDS = {
    "/v1/chat/completions": "data: [DONE]",
    "/v1/messages": "event: message_stop",
    "/v1/responses": "event: response.completed",
}
doors = pytest.mark.parametrize("door", list(_ENDS))


async def ask_anthropic(tmp_path: Path, door: str, how: Misbehaviour, *, stream: bool, **routing: object) -> Seen:
    provider = FakeAnthropic(words=("strong", " words"))
    return await ask(tmp_path, door, how, stream=stream, provider=provider, kind="anthropic", **routing)


@doors
@pytest.mark.parametrize("how", cases(BEFORE_CONTENT | ONLY_WHOLE))
async def test_before_the_answer_another_backend_takes_over(tmp_path: Path, door: str, how: Misbehaviour) -> None:
    seen = await ask_anthropic(tmp_path, door, how, stream=False)
    assert (seen.answer.status_code, seen.asked) == (200, (1, 1))
    assert seen.answer.headers["x-paretogate-fallback-from"] == "strong"
    assert seen.answer.json()["model"] == "maker/cheap"


@doors
@pytest.mark.parametrize("how", cases(BEFORE_CONTENT))
async def test_before_the_first_content_of_a_stream_another_backend_takes_over(
    tmp_path: Path, door: str, how: Misbehaviour
) -> None:
    seen = await ask_anthropic(tmp_path, door, how, stream=True)
    assert (seen.answer.status_code, seen.asked) == (200, (1, 1))
    assert seen.answer.headers["x-paretogate-fallback-from"] == "strong"
    assert _ENDS[door] in seen.answer.text
    assert "cheap" in seen.answer.text
    assert "strong" not in seen.answer.text.replace('"fallback_from":["strong"]', "")


@doors
@pytest.mark.parametrize("how", cases(MIDWAY))
async def test_after_the_first_content_a_failure_is_said_in_band_and_never_ends_clean(
    tmp_path: Path, door: str, how: Misbehaviour
) -> None:
    seen = await ask_anthropic(tmp_path, door, how, stream=True)
    assert "strong" in seen.answer.text
    assert '"error":{' in seen.answer.text
    assert _ENDS[door] not in seen.answer.text
    assert seen.asked == (1, 0)
    assert seen.journal.of("outcome")[0]["status"] == "failed"


@doors
async def test_a_busy_anthropic_is_told_as_such(tmp_path: Path, door: str) -> None:
    how = Misbehaviour(fault="status", status=529, retry_after="20")
    seen = await ask_anthropic(tmp_path, door, how, stream=False, allow_fallbacks=False)
    assert (seen.answer.status_code, seen.answer.headers["retry-after"]) == (503, "20")
    assert seen.answer.json()["error"]["type"] == "overloaded_error"


@doors
async def test_what_anthropic_says_of_the_request_itself_is_passed_on(tmp_path: Path, door: str) -> None:
    seen = await ask_anthropic(tmp_path, door, Misbehaviour(fault="status", status=400), stream=False)
    assert (seen.answer.status_code, seen.answer.json()["error"]["message"]) == (400, "as you wish")
    assert seen.asked == (1, 0)
