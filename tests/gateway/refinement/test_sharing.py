"""What one worker learned reaches every replica by a real Redis, and nothing else does."""

import os
import time
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

from gateway.journal import JournalUnavailableError
from gateway.refinement import SharedFindings
from gateway.settings import JournalSettings, Settings, StateSettings
from tests.gateway.state.servers import RedisServer

pytestmark = pytest.mark.loopback


def at(folder: Path, url: str, *, cluster: bool = False) -> SharedFindings:
    return SharedFindings(
        Settings(state=StateSettings(dir=folder), journal=JournalSettings(url=url, cluster=cluster))  # type: ignore[arg-type]
    )


def write(path: Path, content: bytes, *, at_s: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (at_s, at_s))


def test_a_replica_gets_what_was_learned_and_again_what_changed(redis_server: RedisServer, tmp_path: Path) -> None:
    worker, replica = (at(tmp_path / name, redis_server.url) for name in ("worker", "replica"))
    write(tmp_path / "worker" / "measured.json", b"facts", at_s=1_000)
    write(tmp_path / "worker" / "tools" / "usage" / "office" / "17.npz", b"sums", at_s=1_000)
    assert (worker.publish(), worker.publish()) == (2, 0)
    assert (replica.fetch(), replica.fetch()) == (2, 0)
    assert (tmp_path / "replica" / "tools" / "usage" / "office" / "17.npz").read_bytes() == b"sums"
    write(tmp_path / "worker" / "measured.json", b"newer", at_s=1_001)
    assert (worker.publish(), replica.fetch()) == (1, 1)
    assert (tmp_path / "replica" / "measured.json").read_bytes() == b"newer"


def test_what_is_newer_here_stays(redis_server: RedisServer, tmp_path: Path) -> None:
    write(tmp_path / "worker" / "measured.json", b"older", at_s=1_000)
    write(tmp_path / "replica" / "measured.json", b"newer", at_s=1_001)
    at(tmp_path / "worker", redis_server.url).publish()
    assert at(tmp_path / "replica", redis_server.url).fetch() == 0
    assert (tmp_path / "replica" / "measured.json").read_bytes() == b"newer"


def test_what_a_wrong_clock_wrote_keeps_nothing_from_being_learned_once_it_is_right(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    a_year_on = time.time() + 365 * 86_400
    write(tmp_path / "worker" / "measured.json", b"of next year", at_s=a_year_on)
    at(tmp_path / "worker", redis_server.url).publish()
    assert at(tmp_path / "replica", redis_server.url).fetch() == 0
    write(tmp_path / "replica" / "measured.json", b"of next year, too", at_s=a_year_on)
    write(tmp_path / "worker" / "measured.json", b"of now", at_s=time.time())
    at(tmp_path / "worker", redis_server.url).publish()
    assert at(tmp_path / "replica", redis_server.url).fetch() == 1
    assert (tmp_path / "replica" / "measured.json").read_bytes() == b"of now"


@pytest.mark.parametrize(
    "name", ["keys.json", "../measured.json", "tools/usage/../../keys.json", "tools/usage/a/b/1.npz", "/measured.json"]
)
def test_whoever_writes_to_redis_writes_no_file_but_those_of_refinement(
    name: str, redis_server: RedisServer, tmp_path: Path
) -> None:
    with redis_server.client() as client:
        client.hset("paretogate:{journal}:learned", name, b"planted")
        client.hset("paretogate:{journal}:learned-at", name, b"9")
    assert at(tmp_path / "state", redis_server.url).fetch() == 0
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.read_bytes() == b"planted"]


def test_whoever_writes_to_redis_fills_no_memory_and_stops_nothing(
    redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = BytesIO()
    with ZipFile(packed, "w", ZIP_DEFLATED) as bomb, bomb.open("totals.npy", "w") as member:
        for _ in range(300):
            member.write(bytes(1 << 20))  # 300 MB of nothing, in as many kilobytes
    monkeypatch.setattr("gateway.refinement.sharing._MOST_BYTES", 1 << 20)
    planted = {
        "tools/usage/a/1.npz": (packed.getvalue(), b"9"),
        "tools/usage/b/1.npz": (bytes(2 << 20), b"9"),
        "tools/usage/c/1.npz": (b"x", b"yesterday"),
        "tools/usage/d/1.npz": (b"x", b"9" * 30),
        "measured.json": (b"facts", b"9"),
    }
    with redis_server.client() as client:
        for name, (content, written) in planted.items():
            client.hset("paretogate:{journal}:learned", name, content)
            client.hset("paretogate:{journal}:learned-at", name, written)
    assert at(tmp_path / "state", redis_server.url).fetch() == 1
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["measured.json"]


def test_a_redis_that_is_away_is_asked_again_later(redis_server: RedisServer, tmp_path: Path) -> None:
    replica = at(tmp_path / "replica", redis_server.url)
    redis_server.kill()
    with pytest.raises(JournalUnavailableError):
        replica.fetch()
    redis_server.start()
    assert replica.fetch() == 0


def test_a_cluster_shares_it_too(cluster_url: str, tmp_path: Path) -> None:
    write(tmp_path / "worker" / "measured.json", b"facts", at_s=1_000)
    at(tmp_path / "worker", cluster_url, cluster=True).publish()
    assert at(tmp_path / "replica", cluster_url, cluster=True).fetch() == 1
