"""The server's name in this folder, where everything is about it."""

import pytest

from tests.gateway.state.servers import RedisServer


@pytest.fixture
def server(redis_server: RedisServer) -> RedisServer:
    return redis_server
