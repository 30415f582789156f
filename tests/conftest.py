"""No test opens a socket unless it is marked `loopback`, and then only on the loopback interface."""

import os

import pytest
from pytest_socket import disable_socket, enable_socket, socket_allow_hosts

# Small arrays on many threads wait for each other more than they compute, above all with a test runner on every core.
os.environ.setdefault("OMP_NUM_THREADS", "1")

LOOPBACK = ["127.0.0.1", "::1", "localhost"]


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
    monkeypatch.setattr("predictors.tools.second_stage._N_ROUNDS", 10)
