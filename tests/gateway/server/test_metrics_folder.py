"""The folder in which several workers count together."""

import os
import tempfile
import time
from pathlib import Path

import pytest

from gateway.server.metrics_folder import metrics_folder


def grown_old(folder: Path) -> None:
    an_hour_ago = time.time() - 3_600
    os.utime(folder, (an_hour_ago, an_hour_ago))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_it_goes_when_it_is_no_longer_needed(place: Path) -> None:
    with metrics_folder() as folder:
        (folder / "counter_1.db").touch()
        assert [*place.iterdir()] == [folder]
    assert [*place.iterdir()] == []


def test_what_a_killed_gateway_left_is_cleared_away_and_what_another_uses_is_not(place: Path) -> None:
    left = place / "paretogate-metrics-left"
    left.mkdir()
    (left / "counter_1.db").touch()
    grown_old(left)
    with metrics_folder() as used:
        grown_old(used)
        with metrics_folder() as own:
            assert {*place.iterdir()} == {used, own}
