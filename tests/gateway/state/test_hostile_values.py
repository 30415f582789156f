"""Whoever else writes to the Redis of limits: what no gateway wrote is an error there, and no request fails of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.governance.test_governor import make_key
from tests.gateway.running import CHAT, RunningGateway, pair
from tests.gateway.state.servers import RedisServer, redis_executable

pytestmark = [
    pytest.mark.loopback,
    pytest.mark.skipif(redis_executable() is None, reason="no Redis is installed"),
]

TURNS = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "x"}, {"role": "user", "content": "y"}]
LIMITS = {"requests_per_minute": 100, "tokens_per_minute": 100_000, "max_concurrency": 5}
NUMBERS = ("nan", "inf", "-inf", "1e308", "9" * 400, "x", "")
SESSIONS = (
    "{",
    "null",
    '{"backend_id":5,"cached_tokens":"x"}',
    '{"backend_id":{"a":1},"cached_tokens":{},"tools":5}',
    '{"backend_id":null,"cached_tokens":null}',
    '{"backend_id":"strong","cached_tokens":1e308,"tools":[1,2]}',
    '{"backend_id":"strong","cached_tokens":-5,"pinned":"x"}',
    "[" * 100_000,
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    folder = tmp_path / "redis"
    started = RedisServer(folder).start()
    yield started
    started.kill()


async def asked(gateway: RunningGateway, key: dict[str, str]) -> int:
    body: dict[str, Any] = {"model": "auto", "messages": TURNS, "routing": {"session_id": "s:{x}*\n1"}}
    return (await gateway.client.post(CHAT, json=body, headers=key)).status_code


@pytest.mark.parametrize(
    ("kept", "values"),
    [("requests", NUMBERS), ("tokens", NUMBERS), ("session", SESSIONS), ("leases", ("x",))],
)
async def test_values_that_no_gateway_wrote_fail_no_request(
    tmp_path: Path, server: RedisServer, kept: str, values: tuple[str, ...]
) -> None:
    key, redis = make_key(tmp_path, **LIMITS), server.client()
    state = {"dir": tmp_path, "url": server.url, "timeout_ms": 10_000}
    async with pair(tmp_path, settings={"state": state}) as (gateway, _, __):
        assert await asked(gateway, key) == 200
        (prefix,) = {str(name, "utf-8").partition("}")[0] for name in redis.scan_iter()}
        name = f"{prefix}}}:{kept}" + (":s:{x}*\n1" if kept == "session" else "")
        statuses = {}
        for value in values:
            redis.set(name, value)
            statuses[value[:40]] = [await asked(gateway, key) for _ in range(2)]
            redis.delete(name)
    redis.close()
    assert statuses == {value[:40]: [200, 200] for value in values}
