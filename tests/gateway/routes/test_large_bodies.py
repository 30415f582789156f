"""What large requests cost everybody else."""

import json
from pathlib import Path

import httpx
import pytest

from gateway.wire.body import LARGE_BYTES
from tests.effort import counting_calls
from tests.gateway.running import RunningGateway, pair

pytestmark = pytest.mark.loopback

FEW, MANY = 12_000, 24_000


@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/v1/messages", "/v1/messages/count_tokens", "/routing/v1/chat/completions"]
)
async def test_many_small_parts_are_read_in_a_thread_while_others_go_on(path: str, tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, _, _):
        await calls_of_the_loop(gateway, path, 1)  # what is loaded and remembered the first time
        few, many = [await calls_of_the_loop(gateway, path, n) for n in (FEW, MANY)]

    assert many - few < 10 * (MANY - FEW)  # 27 and more for each part, were they read here


async def calls_of_the_loop(gateway: RunningGateway, path: str, n_parts: int) -> int:
    """What this thread does for a request of so many parts, its client and its provider included."""
    parts = [{"type": "text", "text": f"This is said in part {i} of a large request."} for i in range(n_parts)]
    body = {"model": "cheap", "max_tokens": 5, "messages": [{"role": "user", "content": parts}]}
    raw = json.dumps(body).encode()
    assert n_parts == 1 or len(raw) > LARGE_BYTES
    with counting_calls() as so_far:
        answer = await gateway.client.post(path, content=raw, headers={"content-type": "application/json"})
        n_calls = so_far()
    assert answer.status_code == httpx.codes.OK, answer.text
    return n_calls
