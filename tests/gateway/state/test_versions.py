"""Replicas of two versions on one Redis, as while one after the other is replaced."""

import orjson
import pytest

from gateway.state import Claim, Quota, RedisState, Remembered, Settlement
from router import SessionState
from tests.gateway.state.servers import RedisServer
from tests.gateway.state.test_guarded import NOON
from tests.waiting import AT_MOST_S

pytestmark = pytest.mark.loopback

ASKED = Claim(holder="k", quota=Quota(), wall_s=NOON, requests=1, session_id="s")


@pytest.mark.parametrize(
    ("kept", "told"),
    [
        ({"backend_id": "b", "cached_tokens": 7, "mood": "calm"}, SessionState(backend_id="b", cached_tokens=7)),
        ({"backend_id": "b"}, SessionState(backend_id="b")),
        ({"server": "b"}, None),
        (["b", 7], None),
    ],
)
async def test_what_another_version_kept_of_a_conversation_is_read_as_far_as_it_is_known(
    common_redis: RedisServer, kept: object, told: SessionState | None
) -> None:
    store = RedisState.at(common_redis.url, timeout_s=AT_MOST_S)
    remembered = Remembered(session_id="s", state=SessionState(backend_id="a"), keep_s=60.0)
    await store.settle(Settlement(holder="k", quota=Quota(), wall_s=NOON, remember=remembered))
    await store._client.set(store._key("k", "session:s"), orjson.dumps(kept))
    grant = await store.reserve(ASKED)
    await store.close()
    assert grant.session == told
