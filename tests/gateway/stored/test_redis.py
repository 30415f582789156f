"""What stored Responses in Redis say of failures."""

import pytest

from gateway.state.redis import redis_client
from gateway.stored import Bounds, RedisResponses
from gateway.stored.protocol import StoreUnavailableError
from tests.gateway.state.quoting import quoting_redis
from tests.waiting import AT_MOST_S

pytestmark = pytest.mark.loopback


async def test_a_server_that_quotes_what_it_was_sent_gives_no_secret_away() -> None:
    bounds = Bounds(keep_s=60.0, max_per_tenant=3, max_bytes=100, max_bytes_each=100)
    with quoting_redis("pl4nted%2Fword") as url:
        client = redis_client(url, timeout_s=AT_MOST_S, cluster=False)
        store = RedisResponses(client, bounds, timeout_s=AT_MOST_S, wall=lambda: 0.0, clock=lambda: 0.0, url=url)
        with pytest.raises(StoreUnavailableError, match=r"unknown command.*\*\*\*") as refused:
            await store.get("tenant", "resp_1")
        await store.close()
    assert "pl4nted" not in str(refused.value)
    assert refused.value.__cause__ is None
