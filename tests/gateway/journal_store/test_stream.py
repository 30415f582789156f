"""Lines of the spool in a real Redis: each once, whatever is lost on the way."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.journal_store import StoreFailedError
from gateway.journal_store.stream import StreamFullError, StreamStore
from gateway.redis_keys import JournalKeys
from tests.gateway.state.clusters import redis_cluster
from tests.gateway.state.quoting import quoting_redis
from tests.gateway.state.servers import RedisServer
from tests.gateway.state.sockets import short_folder

from .streams import line, lines

pytestmark = pytest.mark.loopback

SIZE = len(line(b"d000")) + 1  # of each line, its newline included


def open_store(server: RedisServer, *, most: int = 1_000) -> StreamStore:
    return StreamStore(server.url, most_records=most)


def held(server: RedisServer) -> list[bytes]:
    with server.client() as client:
        return [facts[b"line"] for _, facts in client.xrange(JournalKeys().records)]


def test_lines_are_entries_that_say_where_they_stood(server: RedisServer) -> None:
    store = open_store(server)
    assert store.take("w/1", 0, lines(0, 2)) == 2 * SIZE == store.position("w/1")
    with server.client() as client:
        facts = [told for _, told in client.xrange(JournalKeys().records)]
    assert [(told[b"segment"], told[b"offset"]) for told in facts] == [(b"w/1", b"0"), (b"w/1", b"%d" % SIZE)]
    assert store.waiting == 2


def test_what_is_told_again_is_kept_once(server: RedisServer) -> None:
    store = open_store(server)
    store.take("w/1", 0, lines(0, 3))
    assert store.take("w/1", SIZE, lines(1, 5)) == 5 * SIZE
    assert store.take("w/1", 0, lines(0, 2)) == 5 * SIZE
    assert held(server) == lines(0, 5)


def test_many_lines_go_in_several_scripts(server: RedisServer) -> None:
    many = [b"x" * 1_000 for _ in range(1_000)]
    with server.client() as client:
        open_store(server).take("w/1", 0, many)
        assert client.info("commandstats")["cmdstat_eval"]["calls"] == 4
    assert held(server) == many


class _Deaf:
    """Between client and Redis: passes questions on, and answers only once; then the connection breaks."""

    def __init__(self, target: Path) -> None:
        self.path, self.n_answers = short_folder(self) / "deaf.sock", 1
        self._target = str(target)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes who waits for somebody to come
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._relay, args=(near,), daemon=True).start()

    def _relay(self, near: socket.socket) -> None:
        with near, closing(socket.socket(socket.AF_UNIX)) as far:
            far.connect(self._target)
            while asked := near.recv(1 << 20):
                far.sendall(asked)
                answer = far.recv(1 << 20)
                if b"HELLO" not in asked and b"CLIENT" not in asked:
                    if not self.n_answers:
                        return
                    self.n_answers -= 1
                near.sendall(answer)


@pytest.fixture
def deaf(server: RedisServer) -> Iterator[_Deaf]:
    relay = _Deaf(server.socket)
    yield relay
    relay.close()


def test_a_connection_that_breaks_before_the_answer_doubles_nothing(server: RedisServer, deaf: _Deaf) -> None:
    store = StreamStore(f"unix://{deaf.path}", most_records=1_000)
    offset = store.position("w/1")
    with pytest.raises(StoreFailedError):
        store.take("w/1", offset, lines(0, 3))  # Redis has done it, and nobody heard
    assert held(server) == lines(0, 3)
    deaf.n_answers = 99
    again = store.position("w/1")
    assert again == 3 * SIZE
    store.take("w/1", again, lines(3, 5))
    store.take("w/1", 0, lines(0, 5))  # and whoever does not ask is none the worse
    assert held(server) == lines(0, 5)


def test_no_more_waits_than_may_and_the_refusal_says_what_to_do(server: RedisServer) -> None:
    store = open_store(server, most=3)
    with pytest.raises(StreamFullError, match=r"3 records wait.*journal collect.*stream_max_records"):
        store.take("w/1", 0, lines(0, 5))
    assert (held(server), store.position("w/1"), store.waiting) == (lines(0, 3), 3 * SIZE, 3)
    with server.client() as client:
        client.xtrim(JournalKeys().records, maxlen=0, approximate=False)
    store.take("w/1", 3 * SIZE, lines(3, 5))
    assert held(server) == lines(3, 5)


def test_a_redis_whose_memory_is_full_refuses_the_whole_batch(server: RedisServer) -> None:
    store = open_store(server)
    store.position("w/1")
    with server.client() as client:
        client.config_set("maxmemory", "1")
        with pytest.raises(StoreFailedError, match="maxmemory"):
            store.take("w/1", 0, lines(0, 5))
        client.config_set("maxmemory", "0")
    assert (held(server), store.position("w/1")) == ([], 0)
    store.take("w/1", 0, lines(0, 5))
    assert held(server) == lines(0, 5)


def test_a_segment_that_is_gone_leaves_nothing_behind(server: RedisServer) -> None:
    store = open_store(server)
    store.take("w/1", 0, lines(0, 1))
    store.forget_segment("w/1")
    with server.client() as client:
        assert client.hgetall(JournalKeys().positions) == {}


def test_a_cluster_keeps_all_of_it_on_one_shard(cluster_url: str) -> None:
    store = StreamStore(cluster_url, cluster=True, most_records=1_000)
    for writer in range(20):
        store.take(f"writer-{writer}/1", 0, lines(0, 2))
    assert store.waiting == 40
    assert store.position("writer-7/1") == 2 * SIZE


@pytest.mark.usefixtures("redis_installed")
def test_a_node_of_a_cluster_that_is_not_said_to_be_one_says_what_to_set(tmp_path: Path) -> None:
    with redis_cluster(tmp_path) as cluster:
        problems = []
        for port in cluster.ports:
            try:
                StreamStore(f"redis://127.0.0.1:{port}", most_records=1_000).position("w/1")
            except StoreFailedError as exc:
                problems.append(str(exc))
    assert len(problems) == 2
    assert all("journal.cluster" in problem for problem in problems)


@pytest.mark.usefixtures("redis_installed")
def test_a_wrong_password_is_told_without_it(tmp_path: Path) -> None:
    server = RedisServer(tmp_path / "redis", requirepass="the right one").start()
    try:
        with pytest.raises(StoreFailedError) as refused:
            StreamStore(f"{server.url}?password=pl4nted", most_records=1).position("w/1")
        right = StreamStore(f"{server.url}?password=the%20right%20one", most_records=1)
        assert right.position("w/1") == 0
    finally:
        server.kill()
    assert "invalid username-password" in str(refused.value)
    assert "pl4nted" not in repr(refused.value)
    assert refused.value.__cause__ is None


def test_a_server_that_quotes_what_it_was_sent_gives_no_secret_away() -> None:
    with quoting_redis("pl4nted%2Fword") as url, pytest.raises(StoreFailedError) as refused:
        StreamStore(url, most_records=1).position("w/1")
    assert "unknown command" in str(refused.value)
    assert "pl4nted" not in str(refused.value)
    assert "***" in str(refused.value)
