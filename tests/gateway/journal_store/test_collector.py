"""From a real Redis into a file: each record once, and nothing is trimmed that somebody has yet to collect."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.journal import JournalReader
from gateway.journal_store import StoreFailedError
from gateway.journal_store.collector import Collector, FileTakenError, GroupTakenError
from gateway.journal_store.stream import StreamStore
from gateway.redis_keys import JournalKeys
from tests.gateway.state.servers import RedisServer

from .streams import line, lines, stored_ids

pytestmark = pytest.mark.loopback

SIZE = len(line(b"d000")) + 1
NOW_S = 1_000_000.0
NOTED: list[tuple[str, dict[str, object]]] = []
OPEN: list[Collector] = []


@pytest.fixture(autouse=True)
def all_are_closed() -> Iterator[None]:
    NOTED.clear()
    yield
    while OPEN:
        OPEN.pop().close()


def collector(
    server: RedisServer | str, path: Path, *, group: str = "g", consumer: str = "me", **more: object
) -> Collector:
    url = server if isinstance(server, str) else server.url
    note = lambda event, **facts: NOTED.append((event, facts))  # noqa: E731
    OPEN.append(Collector(url, path, group=group, consumer=consumer, clock=lambda: NOW_S, note=note, **more))  # type: ignore[arg-type]
    return OPEN[-1]


def fill(server: RedisServer, first: int, end: int, *, segment: str = "w/1") -> None:
    StreamStore(server.url, most_records=10_000).take(segment, first * SIZE, lines(first, end))


def ids(first: int, end: int) -> list[str]:
    return [f"d{number:03d}" for number in range(first, end)]


def waiting(server: RedisServer) -> int:
    with server.client() as client:
        return int(client.xlen(JournalKeys().records))


def test_what_has_come_is_collected_and_then_trimmed(server: RedisServer, tmp_path: Path) -> None:
    path = tmp_path / "copy.sqlite3"
    fill(server, 0, 700)
    assert collector(server, path).collect_all() == 700
    assert stored_ids(path) == ids(0, 700)
    assert waiting(server) == 0
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_empty_stream_is_no_error_and_makes_the_file(server: RedisServer, tmp_path: Path) -> None:
    assert collector(server, tmp_path / "copy.sqlite3").collect_all() == 0
    assert stored_ids(tmp_path / "copy.sqlite3") == []


def test_what_comes_while_one_waits_is_collected(server: RedisServer, tmp_path: Path) -> None:
    watching = collector(server, tmp_path / "copy.sqlite3")
    assert watching.collect(wait_s=0.05) == 0
    fill(server, 0, 3)
    assert watching.collect(wait_s=1.0) == 3


def test_killed_between_commit_and_acknowledgement_it_doubles_nothing(
    server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "copy.sqlite3"
    fill(server, 0, 5)
    first = collector(server, path, consumer="first")

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    real = first._acknowledge
    monkeypatch.setattr(first, "_acknowledge", lambda ids: die() if ids else real(ids))
    with pytest.raises(KeyboardInterrupt):
        first.collect()
    first.close()
    assert stored_ids(path) == ids(0, 5)
    assert waiting(server) == 5
    fill(server, 5, 8)
    assert collector(server, path, consumer="second").collect_all() == 8  # five of them once more
    assert stored_ids(path) == ids(0, 8)
    assert waiting(server) == 0


def test_a_batch_is_no_longer_than_its_bytes_and_a_longer_entry_comes_alone(
    server: RedisServer, tmp_path: Path
) -> None:
    path = tmp_path / "copy.sqlite3"
    fill(server, 0, 10)
    bounded = collector(server, path, batch_bytes=4 * (SIZE + 40))  # an entry has names and a place beside its line
    moved = []
    while more := bounded.collect():
        moved.append(more)
    assert sum(moved) == 10
    assert 2 <= max(moved) <= 5
    tiny = collector(server, tmp_path / "tiny.sqlite3", group="tiny", batch_bytes=1)
    fill(server, 10, 13)
    assert [tiny.collect(), tiny.collect(), tiny.collect(), tiny.collect()] == [1, 1, 1, 0]


def test_what_was_handed_out_and_never_acknowledged_is_read_within_the_same_bytes(
    server: RedisServer, tmp_path: Path
) -> None:
    path = tmp_path / "copy.sqlite3"
    assert collector(server, path).collect() == 0
    OPEN.pop().close()
    fill(server, 0, 7)
    with server.client() as client:
        client.xreadgroup("g", "gone", {JournalKeys().records: ">"}, count=7)
    taken = collector(server, path, batch_bytes=1)
    sizes: list[int] = []
    take = taken._take
    taken._take = lambda store, told: sizes.append(len(told)) or take(store, told)  # type: ignore[func-returns-value, method-assign]
    assert taken.collect_all() == 7
    assert sizes[:7] == [1] * 7
    assert stored_ids(path) == ids(0, 7)


def test_what_a_consumer_that_died_was_handed_comes_first(server: RedisServer, tmp_path: Path) -> None:
    path = tmp_path / "copy.sqlite3"
    collector(server, path).collect()
    OPEN.pop().close()
    fill(server, 0, 4)
    with server.client() as client:
        client.xreadgroup("g", "died", {JournalKeys().records: ">"}, count=3)
    assert collector(server, path, consumer="heir").collect_all() == 4
    assert stored_ids(path) == ids(0, 4)


def test_nothing_is_trimmed_that_another_group_has_yet_to_collect(server: RedisServer, tmp_path: Path) -> None:
    one, other = collector(server, tmp_path / "one"), collector(server, tmp_path / "other", group="slow")
    other.collect()
    fill(server, 0, 6)
    one.collect_all()
    assert waiting(server) == 6
    with server.client() as client:
        handed = client.xreadgroup("slow", "reads", {JournalKeys().records: ">"}, count=4)[0][1]
        client.xack(JournalKeys().records, "slow", handed[0][0])  # of what it was handed, the first alone is done
    fill(server, 6, 7)
    one.collect_all()
    assert waiting(server) == 6
    other.close()
    OPEN.remove(other)
    collector(server, tmp_path / "other", group="slow").collect_all()
    assert waiting(server) == 0
    assert (stored_ids(tmp_path / "one"), stored_ids(tmp_path / "other")) == (ids(0, 7), ids(1, 7))


def test_two_files_get_a_copy_each_by_two_groups_and_never_halves_by_one(server: RedisServer, tmp_path: Path) -> None:
    fill(server, 0, 3)
    collector(server, tmp_path / "one").collect_all()
    with pytest.raises(GroupTakenError, match=r"--group.*--take-over"):
        collector(server, tmp_path / "other").collect()
    fill(server, 3, 5)
    collector(server, tmp_path / "heir", take_over=True).collect_all()
    assert stored_ids(tmp_path / "heir") == ids(3, 5)
    OPEN[0]._disconnect()
    with pytest.raises(GroupTakenError):
        OPEN[0].collect()


def test_a_file_is_collected_into_by_one_process_at_a_time(server: RedisServer, tmp_path: Path) -> None:
    first = collector(server, tmp_path / "copy")
    first.collect()
    second = collector(server, tmp_path / "copy", consumer="standby")
    with pytest.raises(FileTakenError):
        second.collect()
    first.close()
    fill(server, 0, 1)
    assert second.collect_all() == 1


def test_writers_whose_lines_mingle_are_told_apart(server: RedisServer, tmp_path: Path) -> None:
    for number in range(6):
        fill(server, number, number + 1, segment=f"w{number % 2}/1")
    StreamStore(server.url, most_records=99).take("w9/1", 0, [line(b"d9"), b"rubbish \xff", line(b"d8")])
    with server.client() as client:  # of two writers each line has a place of its own
        assert client.xlen(JournalKeys().records) == 9
    collector(server, tmp_path / "copy").collect_all()
    assert stored_ids(tmp_path / "copy") == [*ids(0, 6), "d9", "d8"]
    with JournalReader(tmp_path / "copy") as reader:
        assert reader.counts()["damaged"] == 1


def test_a_redis_that_lost_its_memory_is_sent_again_what_is_spooled_and_nothing_is_doubled(
    server: RedisServer, tmp_path: Path
) -> None:
    path = tmp_path / "copy"
    fill(server, 0, 3)
    watching = collector(server, path)
    watching.collect_all()
    server.kill()
    with pytest.raises(StoreFailedError):
        watching.collect()
    server.start()
    fill(server, 0, 5)
    assert watching.collect_all() == 5
    assert stored_ids(path) == ids(0, 5)
    assert NOTED == []


def test_lines_that_never_came_are_told(server: RedisServer, tmp_path: Path) -> None:
    fill(server, 0, 2)
    watching = collector(server, tmp_path / "copy")
    watching.collect_all()
    fill(server, 4, 5)  # what was between them was lost with a Redis that was restored from an older copy
    watching.collect_all()
    assert NOTED == [("journal_records_never_came", {"segment": "w/1", "bytes": 2 * SIZE})]


def test_what_somebody_else_removed_after_it_was_handed_out_is_told_and_stops_nobody(
    server: RedisServer, tmp_path: Path
) -> None:
    path = tmp_path / "copy"
    collector(server, path).collect()
    OPEN.pop().close()
    fill(server, 0, 4)
    with server.client() as client:
        client.xreadgroup("g", "died", {JournalKeys().records: ">"}, count=2)
        client.xtrim(JournalKeys().records, maxlen=3, approximate=False)
    collector(server, path).collect_all()
    assert ("journal_records_removed_uncollected", {"entries": 1}) in NOTED
    assert stored_ids(path) == ids(1, 4)
    assert waiting(server) == 0


HEAD = b'{"v":1,"kind":"%b","at":1.0,"columns":%b,"record":{}}'


@pytest.mark.parametrize(
    "facts",
    [
        {"something": "else"},
        {"segment": "w/1", "offset": "none", "line": "x"},
        {"segment": b"\xff", "offset": "0", "line": "x"},
        {"segment": "x", "offset": "-1", "line": "x"},
        {"segment": "x", "offset": "9" * 30, "line": "x"},
        {"segment": "x" * 10_000, "offset": "0", "line": "x"},
        {"segment": "x", "offset": "0", "line": "no record"},
        {"segment": "x", "offset": "0", "line": HEAD % (b"of_the_future", b"[1.0]")},
        {"segment": "x", "offset": "0", "line": HEAD % (b"outcome", b"[1.0]")},
        {"segment": "x", "offset": "0", "line": HEAD % (b"decision", b"[]")},
        {"segment": "x", "offset": "0", "line": HEAD.replace(b"{}", b"[]") % (b"outcome", b"[1.0, 1, 1, 1, 1]")},
        {"segment": "x", "offset": "0", "line": HEAD.replace(b"{}", b"{NaN}") % (b"outcome", b"[1.0, 1, 1, 1, 1]")},
        {"segment": "x", "offset": "0", "line": HEAD % (b"outcome", b"[1.0, 18446744073709551615, 1, 1, 1]")},
    ],
)
def test_what_no_gateway_wrote_into_the_stream_keeps_no_record_from_being_collected(
    server: RedisServer, tmp_path: Path, facts: dict[str, str | bytes]
) -> None:
    with server.client() as client:
        client.xadd(JournalKeys().records, facts)
    fill(server, 0, 3)
    collector(server, tmp_path / "copy").collect_all()
    assert stored_ids(tmp_path / "copy") == ids(0, 3)
    assert waiting(server) == 0


def test_what_is_older_than_the_retention_is_forgotten_in_the_file(server: RedisServer, tmp_path: Path) -> None:
    fill(server, 0, 3)  # of 1970
    collector(server, tmp_path / "copy", keep_days=1.0).collect_all()
    assert stored_ids(tmp_path / "copy") == []


def test_a_locked_file_leaves_everything_in_redis(server: RedisServer, tmp_path: Path) -> None:
    path = tmp_path / "copy"
    watching = collector(server, path)
    watching.collect()
    watching._store._db.execute("PRAGMA busy_timeout = 10")  # type: ignore[union-attr]
    fill(server, 0, 3)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        watching.collect()
    assert waiting(server) == 3
    other.execute("ROLLBACK")
    other.close()
    watching.collect_all()
    assert stored_ids(path) == ids(0, 3)


def test_consumers_that_hold_nothing_and_never_came_back_are_forgotten(
    server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.journal_store.collector._FORGOTTEN_AFTER_MS", -1)
    for number, name in enumerate(("pod-1", "pod-2")):
        fill(server, number, number + 1)
        collector(server, tmp_path / "copy", consumer=name).collect()
        OPEN.pop().close()
    with server.client() as client:
        assert [told["name"] for told in client.xinfo_consumers(JournalKeys().records, "g")] == [b"pod-2"]


@pytest.mark.parametrize("protocol", [2, 3])
def test_either_version_of_the_protocol_will_do(server: RedisServer, tmp_path: Path, protocol: int) -> None:
    fill(server, 0, 3)
    collector(f"{server.url}?protocol={protocol}", tmp_path / "copy").collect_all()
    assert stored_ids(tmp_path / "copy") == ids(0, 3)


def test_a_cluster_is_collected_from_like_any_redis(cluster_url: str, tmp_path: Path) -> None:
    store = StreamStore(cluster_url, cluster=True, most_records=99)
    store.take("w/1", 0, lines(0, 5))
    collector(cluster_url, tmp_path / "copy", cluster=True).collect_all()
    assert stored_ids(tmp_path / "copy") == ids(0, 5)
    store.position("w/1")
    assert store.waiting == 0
