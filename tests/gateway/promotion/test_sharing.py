"""Predictors reach every replica by a real Redis, one and the same, or none does; nothing else comes that way."""

import hashlib
import io
import json
import os
import shutil
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gateway.journal import JournalUnavailableError
from gateway.promotion import Order, PredictorWaitsError, Promoted, SharedPredictors, take_up_at_start
from gateway.promotion.order import MOST_IN_FORCE
from gateway.redis_keys import JournalKeys
from predictors import BadArtefactError
from predictors.parcel import MOST_PARCEL_BYTES, Parcel
from predictors.persistence import load_artefact
from predictors.versions import NothingToRollBackError, OvertakenError
from tests.gateway.state.servers import RedisServer

from .replicas import SHIPPED, Replica, variant

pytestmark = pytest.mark.loopback


def files_of(number: int) -> str:
    return f"paretogate:{{journal}}:predictor:{number}"


def digest_of(files: dict[str, bytes]) -> str:
    """As `Parcel` makes it, also of what is no parcel."""
    told = "".join(f"{name}\n{hashlib.sha256(files[name]).hexdigest()}\n" for name in sorted(files))
    return hashlib.sha256(told.encode()).hexdigest()


def plant(server: RedisServer, files: dict[str, bytes], *, number: int = 1) -> None:
    """What somebody who may write to Redis puts in force, with the digest that it has."""
    order = Order(last=number, in_force=(Promoted(number=number, digest=digest_of(files)),))
    with server.client() as client:
        if files:
            client.hset(files_of(number), mapping=files)
        client.set(JournalKeys().predictors, order.content)


def at_once(n: int, act: Callable[[int], None]) -> None:
    """Let n threads act, none before all are there."""
    together = threading.Barrier(n)

    def run(number: int) -> None:
        together.wait()
        act(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def shipped(**others: bytes) -> dict[str, bytes]:
    return {**Parcel.of(SHIPPED).files, **others}


def test_what_is_promoted_once_decides_in_every_replica_as_if_promoted_there(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    one, other = (Replica(tmp_path / name, redis_server.url) for name in ("one", "other"))
    first, second = variant(tmp_path, "first"), variant(tmp_path, "second")
    assert not other.shared.take_up()  # nothing was ever promoted
    assert one.promote(first, evidence="seen") == 1
    assert (other.shared.take_up(), other.shared.take_up()) == (True, False)
    assert other.decides == Parcel.of(first).digest
    (version,) = other.versions.all()
    assert (version.number, version.in_force, version.verdict) == (1, True, {"evidence": "seen"})
    assert other.promote(second) == 2
    assert other.shared.roll_back() == 1
    for replica in (one, other):
        assert replica.shared.take_up()
        assert replica.decides == Parcel.of(first).digest
    assert one.shared.roll_back() == 0
    assert other.shared.take_up()
    assert other.decides is None
    with pytest.raises(NothingToRollBackError):
        one.shared.roll_back()


def test_a_replica_that_starts_later_has_the_one_in_force_and_those_before(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    one, later = (Replica(tmp_path / name, redis_server.url) for name in ("one", "later"))
    for name in ("first", "second"):
        one.promote(variant(tmp_path, name))
    assert later.shared.take_up()
    assert later.versions.in_force() == (1, 2)
    assert later.decides == Parcel.of(variant(tmp_path, "second")).digest
    assert later.versions.roll_back() == 1  # without Redis, by --here


def test_a_redis_that_is_away_changes_nothing_and_is_heard_when_it_returns(
    redis_installed: None, tmp_path: Path
) -> None:
    server = RedisServer(tmp_path / "redis", appendonly="yes", appendfsync="always").start()
    try:
        one, other = (Replica(tmp_path / name, server.url) for name in ("one", "other"))
        one.promote(variant(tmp_path, "first"))
        other.shared.take_up()
        one.promote(variant(tmp_path, "second"))
        server.kill()
        for act in (other.shared.take_up, other.shared.roll_back, lambda: one.promote(variant(tmp_path, "third"))):
            with pytest.raises(JournalUnavailableError):
                act()
        assert other.decides == Parcel.of(variant(tmp_path, "first")).digest
        server.start()
        assert other.shared.take_up()
        assert other.decides == Parcel.of(variant(tmp_path, "second")).digest
    finally:
        server.kill()


def test_a_redis_that_lost_its_memory_changes_nothing_and_is_told_by_the_next_promotion(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    one, other = (Replica(tmp_path / name, redis_server.url) for name in ("one", "other"))
    one.promote(variant(tmp_path, "first"))
    one.shared.take_up()
    other.shared.take_up()
    with redis_server.client() as client:
        client.flushall()
    assert not other.shared.take_up()
    assert other.decides == Parcel.of(variant(tmp_path, "first")).digest
    assert one.promote(variant(tmp_path, "second")) == 2
    assert other.shared.take_up()
    assert other.shared.roll_back() == 1  # the one before went along
    later = Replica(tmp_path / "later", redis_server.url)
    assert later.shared.take_up()
    assert later.decides == Parcel.of(variant(tmp_path, "first")).digest


def test_what_was_promoted_in_one_state_directory_is_what_the_first_shared_one_replaces(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    one, other = (Replica(tmp_path / name, redis_server.url) for name in ("one", "other"))
    one.versions.promote(variant(tmp_path, "first"), {"evidence": "seen"})
    assert one.promote(variant(tmp_path, "first")) == 1  # now for all, under the number that it has
    assert other.shared.take_up()
    assert one.promote(variant(tmp_path, "second")) == 2
    assert one.shared.roll_back() == 1
    assert other.shared.take_up()
    assert other.versions.all()[0].verdict == {"evidence": "seen"}


def test_one_that_decided_before_may_be_promoted_again(redis_server: RedisServer, tmp_path: Path) -> None:
    one, other = (Replica(tmp_path / name, redis_server.url) for name in ("one", "other"))
    for name in ("first", "second"):
        one.versions.promote(variant(tmp_path, name), {})
    assert one.promote(variant(tmp_path, "first")) == 3
    assert other.shared.take_up()
    assert other.versions.in_force() == (1, 2, 3)
    assert other.decides == Parcel.of(variant(tmp_path, "first")).digest


def test_numbers_that_a_replica_has_given_itself_are_not_mistaken_for_those_of_all(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    one, own = (Replica(tmp_path / name, redis_server.url) for name in ("one", "own"))
    own.versions.promote(variant(tmp_path, "own"), {})
    one.promote(variant(tmp_path, "first"))
    own.shared.take_up()
    assert own.decides == Parcel.of(variant(tmp_path, "first")).digest
    assert own.versions.followed().ours == {1: 2}
    one.promote(variant(tmp_path, "second"))
    own.shared.take_up()
    assert own.versions.followed().ours == {1: 2, 2: 3}  # the first was not copied again
    assert own.decides == Parcel.of(variant(tmp_path, "second")).digest
    assert own.promote(variant(tmp_path, "third")) == 4  # a number that neither has given


def test_what_one_replica_promotes_here_alone_stays_until_something_is_promoted_for_all(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    one, own = (Replica(tmp_path / name, redis_server.url) for name in ("one", "own"))
    one.promote(variant(tmp_path, "first"))
    own.shared.take_up()
    own.versions.promote(variant(tmp_path, "own"), {})
    assert not own.shared.take_up()
    assert own.decides == Parcel.of(variant(tmp_path, "own")).digest
    assert (
        own.shared.champion().folder == own.settings.predictors_dir / "0001"
    )  # what a challenger for all is compared with
    one.shared.roll_back()
    assert own.shared.take_up()
    assert own.decides is None


def test_promotions_at_once_come_one_after_the_other_and_the_same_for_all(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    n = MOST_IN_FORCE
    replicas = [Replica(tmp_path / str(i), redis_server.url) for i in range(n)]
    made = [variant(tmp_path, f"v{i}") for i in range(n)]
    numbers = [0] * n

    def promote(i: int) -> None:
        numbers[i] = replicas[i].promote(made[i])

    at_once(n, promote)
    assert sorted(numbers) == list(range(1, n + 1))
    last = Parcel.of(made[numbers.index(n)]).digest
    for replica in replicas:
        replica.shared.take_up()
        assert replica.versions.in_force() == tuple(range(1, n + 1))
        assert replica.decides == last


def test_of_promotions_at_once_over_the_same_champion_one_is_put_in_force_and_the_others_hear_so(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    n = 4
    replicas = [Replica(tmp_path / str(i), redis_server.url) for i in range(n)]
    made = [variant(tmp_path, f"v{i}") for i in range(n)]
    champions = [replica.shared.champion() for replica in replicas]
    put, heard = [], []

    def promote(i: int) -> None:
        try:
            put.append(replicas[i].shared.promote(Parcel.of(made[i]), {}, over=champions[i]))
        except OvertakenError as exc:
            heard.append(exc.decides)

    at_once(n, promote)
    assert (put, heard) == ([1], ["version 1"] * (n - 1))
    with redis_server.client() as client:
        assert {*client.keys()} == {JournalKeys().predictors.encode(), files_of(1).encode()}  # nothing else was sent


def test_the_champion_is_another_after_a_promotion_or_a_rollback_and_the_same_after_neither(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    one, other = (Replica(tmp_path / name, redis_server.url) for name in ("one", "other"))
    first, second = (Parcel.of(variant(tmp_path, name)) for name in ("first", "second"))
    ships = one.shared.champion()
    assert other.shared.promote(first, {}, over=other.shared.champion()) == 1
    with pytest.raises(OvertakenError, match=r"version 1 decides by now.*paretogate promote"):
        one.shared.promote(second, {}, over=ships)
    was_first = one.shared.champion()
    assert other.shared.roll_back() == 0
    with pytest.raises(OvertakenError, match="the predictor that ships decides by now"):
        one.shared.promote(second, {}, over=was_first)
    now = one.shared.champion()
    assert one.shared.promote(second, {}, over=now) == 2
    assert one.shared.promote(second, {}, over=now) == 2  # an answer may be lost: it decides already
    assert other.shared.promote(first, {}) == 3  # nobody says over what


def test_whoever_comes_second_builds_on_what_the_first_has_done(
    redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = (Replica(tmp_path / name, redis_server.url) for name in ("one", "other"))
    promoted = Order.promoted

    def overtaken(order: Order, digest: str, *, above: int = 0) -> Order:
        monkeypatch.setattr(Order, "promoted", promoted)
        other.promote(variant(tmp_path, "first"))
        return order.promoted(digest, above=above)

    monkeypatch.setattr(Order, "promoted", overtaken)
    assert one.promote(variant(tmp_path, "second")) == 2
    other.shared.take_up()
    assert other.versions.in_force() == (1, 2)
    with redis_server.client() as client:
        kept = client.keys()
        assert {*kept} == {JournalKeys().predictors.encode(), files_of(1).encode(), files_of(2).encode()}
        assert {client.ttl(key) for key in kept} == {-1}  # they stay


def test_what_was_sent_by_one_that_is_killed_before_it_is_in_force_goes_by_itself(
    redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("gateway.promotion.sharing._put", killed)
        with pytest.raises(KeyboardInterrupt):
            Replica(tmp_path / "one", redis_server.url).promote(variant(tmp_path, "first"))
    other = Replica(tmp_path / "other", redis_server.url)
    assert not other.shared.take_up()
    with redis_server.client() as client:
        (sent,) = client.keys()
        assert 0 < client.ttl(sent) <= 3_600
    assert other.promote(variant(tmp_path, "first")) == 1


def test_redis_keeps_the_files_of_the_last_few_alone(redis_server: RedisServer, tmp_path: Path) -> None:
    one = Replica(tmp_path / "one", redis_server.url)
    for i in range(MOST_IN_FORCE + 1):
        one.promote(variant(tmp_path, f"v{i}"))
    with redis_server.client() as client:
        kept = {*client.keys("paretogate:*:predictor:*")}
        assert kept == {files_of(number).encode() for number in range(2, MOST_IN_FORCE + 2)}
        assert one.shared.roll_back(0) == 0
        assert client.keys("paretogate:*:predictor:*") == []


def test_the_same_promoted_again_is_the_same_version(redis_server: RedisServer, tmp_path: Path) -> None:
    """An answer of Redis may be lost: whoever repeats it must not put it in force twice."""
    one = Replica(tmp_path / "one", redis_server.url)
    assert [one.promote(variant(tmp_path, "first")) for _ in range(2)] == [1, 1]
    assert one.shared.roll_back() == 0


def packed() -> dict[str, bytes]:
    """One that would load."""
    arrays, manifest = load_artefact(SHIPPED, kind="quality")
    made = io.BytesIO()
    np.savez_compressed(made, zeros=np.zeros(1 << 17), **arrays)  # a megabyte more
    told = {**manifest, "arrays_sha256": hashlib.sha256(made.getvalue()).hexdigest()}
    return {"arrays.npz": made.getvalue(), "manifest.json": json.dumps(told).encode()}


DAMAGED: dict[str, Callable[[], dict[str, bytes]]] = {
    "no files": dict,
    "arrays that do not match the manifest": lambda: shipped(**{"arrays.npz": b"damaged"}),
    "a manifest of another version": lambda: shipped(**{"manifest.json": b"{}"}),
    "no JSON": lambda: shipped(**{"manifest.json": b"{"}),
    "a path out of the folder": lambda: shipped(**{"../../keys.json": b"planted"}),
    "an absolute path": lambda: shipped(**{"/tmp/planted": b"planted"}),
    "a pickle": lambda: shipped(**{"arrays.pkl": b"planted"}),
    "too many files": lambda: {f"ensemble-{i}/arrays.npz": b"" for i in range(100)},
    "too large": lambda: shipped(**{"length.json": bytes(MOST_PARCEL_BYTES + (2 << 20))}),
    "an encoder that nobody named": lambda: shipped(**{"manifest.json": b'{"encoder": "m@http://elsewhere/v1"}'}),
    "arrays that are packed for more memory than may be": packed,
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_what_is_damaged_or_not_for_us_is_refused_once_and_what_decided_goes_on(
    damage: str, redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("predictors.parcel._UNPACKED_BYTES", 1 << 20)
    replica = Replica(tmp_path / "state", redis_server.url)
    plant(redis_server, DAMAGED[damage]())
    with pytest.raises(BadArtefactError):
        replica.shared.take_up()
    with redis_server.client() as client:
        before = client.info("commandstats").get("cmdstat_eval", {}).get("calls", 0)
        assert (replica.shared.take_up(), replica.shared.is_refused) == (False, True)
        assert client.info("commandstats").get("cmdstat_eval", {}).get("calls", 0) == before  # no file was read again
    assert replica.decides is None
    assert replica.versions.all() == ()
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.read_bytes() == b"planted"]
    assert replica.shared.roll_back() == 0
    assert (replica.shared.take_up(), replica.shared.is_refused) == (True, False)


@pytest.mark.parametrize("damage", ["too large", "too many files"])
def test_more_than_may_be_never_leaves_redis(damage: str, redis_server: RedisServer, tmp_path: Path) -> None:
    plant(redis_server, DAMAGED[damage]())
    with redis_server.client() as client:
        before = client.info("stats")["total_net_output_bytes"]
        with pytest.raises(BadArtefactError, match=r"version 1.*it takes more than 67,108,864 bytes in 64 files"):
            Replica(tmp_path / "state", redis_server.url).shared.take_up()
        assert client.info("stats")["total_net_output_bytes"] - before < 50_000


def test_a_predictor_that_is_not_what_the_order_says_is_refused(redis_server: RedisServer, tmp_path: Path) -> None:
    one, other = (Replica(tmp_path / name, redis_server.url) for name in ("one", "other"))
    one.promote(variant(tmp_path, "first"))
    with redis_server.client() as client:
        client.hset(files_of(1), mapping=dict(Parcel.of(variant(tmp_path, "second")).files))
    with pytest.raises(BadArtefactError, match=r"version 1.*does not match its digest.*paretogate rollback"):
        other.shared.take_up()
    assert other.versions.all() == ()


def test_an_earlier_one_that_is_damaged_does_not_keep_the_last_from_deciding(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    one, other = (Replica(tmp_path / name, redis_server.url) for name in ("one", "other"))
    for name in ("first", "second"):
        one.promote(variant(tmp_path, name))
    with redis_server.client() as client:
        client.delete(files_of(1))
    told: list[str] = []
    shared = SharedPredictors(other.settings, note=lambda event, **_: told.append(event))
    assert shared.take_up()
    assert other.versions.in_force() == (2,)
    assert told == ["earlier_predictor_refused"]


def test_what_is_replaced_while_it_is_read_is_not_taken_for_damaged(
    redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = (Replica(tmp_path / name, redis_server.url) for name in ("one", "other"))
    one.promote(variant(tmp_path, "first"))
    read = Order.read

    def overtaken(content: bytes, *, key: str) -> Order:
        monkeypatch.setattr(Order, "read", read)
        one.shared.roll_back()
        return read(content, key=key)

    monkeypatch.setattr(Order, "read", overtaken)
    assert not other.shared.take_up()
    assert not other.shared.is_refused
    assert other.shared.take_up()
    assert other.decides is None


@pytest.mark.parametrize("content", [b"{", b"x" * (1 << 20), b'{"format_version":2,"last":0,"in_force":[]}'])
def test_an_order_of_another_version_or_program_is_refused_once_and_not_built_upon(
    content: bytes, redis_server: RedisServer, tmp_path: Path
) -> None:
    replica = Replica(tmp_path / "state", redis_server.url)
    with redis_server.client() as client:
        client.set(JournalKeys().predictors, content)
        with pytest.raises(BadArtefactError, match="upgrade this replica"):
            replica.shared.take_up()
        assert not replica.shared.take_up()
        for act in (replica.shared.roll_back, lambda: replica.promote(SHIPPED)):
            with pytest.raises(BadArtefactError, match=r"\(DEL\)"):
                act()
        assert client.get(JournalKeys().predictors) == content


def test_an_encoder_that_may_be_an_endpoint_is_shared_where_every_operator_named_it(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    endpoint = "m@http://127.0.0.1:9/v1"
    with_endpoint = variant(tmp_path, "first", encoder=endpoint)
    one, allowed, other = (
        Replica(tmp_path / name, redis_server.url, shared_encoders=names)
        for name, names in (("one", [endpoint]), ("allowed", [endpoint]), ("other", []))
    )
    with pytest.raises(BadArtefactError, match=r"predictor\.shared_encoders"):
        other.promote(with_endpoint)
    assert one.promote(with_endpoint) == 1
    with pytest.raises(BadArtefactError, match=r"predictor\.shared_encoders"):
        other.shared.take_up()
    with pytest.raises(PredictorWaitsError, match=r"version 1.*127\.0\.0\.1:9"):  # it was asked, and is not there
        allowed.shared.take_up()


def test_a_verdict_that_nobody_could_keep_does_not_keep_the_predictor_from_deciding(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    replica = Replica(tmp_path / "one", redis_server.url)
    plant(redis_server, shipped())
    with redis_server.client() as client:
        client.hset(files_of(1), "verdict.json", b'{"a":' + b"[" * 1_000 + b"]" * 1_000 + b"}")
    assert replica.shared.take_up()
    assert replica.versions.all()[0].verdict == {}


def test_nobody_decides_whom_the_loader_breaks_at(
    redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = (Replica(tmp_path / name, redis_server.url) for name in ("one", "other"))
    one.promote(variant(tmp_path, "first"))

    def breaks(*_: object, **__: object) -> None:
        raise MemoryError("as arrays of an impossible shape make it")

    monkeypatch.setattr("predictors.Forecaster.load", breaks)
    with pytest.raises(BadArtefactError, match=r"cannot be loaded \(MemoryError\)"):
        other.shared.take_up()
    assert other.decides is None


@pytest.mark.parametrize("moment", ["before its folder has its name", "before the marker", "after it"])
def test_whoever_is_killed_amid_it_has_one_predictor_that_is_whole_and_goes_on(
    moment: str, redis_server: RedisServer, tmp_path: Path
) -> None:
    one, killed = (Replica(tmp_path / name, redis_server.url) for name in ("one", "killed"))
    first, second = variant(tmp_path, "first"), variant(tmp_path, "second")
    one.promote(first)
    killed.shared.take_up()
    killed.shared.close()
    one.promote(second)
    if (child := os.fork()) == 0:
        _take_up_and_be_killed(killed, moment)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    after = Parcel.of(second if moment == "after it" else first).digest
    assert killed.decides == after
    again = Replica(tmp_path / "killed", redis_server.url)
    assert again.shared.take_up() == (moment != "after it")
    assert again.decides == Parcel.of(second).digest
    assert again.versions.in_force() == (1, 2)
    assert {path.name for path in again.settings.predictors_dir.glob("[0-9n]*")} == {"0001", "0002"}


def _take_up_and_be_killed(replica: Replica, moment: str) -> None:
    """In a process of its own, which never returns."""

    def die(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    try:
        if moment == "before its folder has its name":
            Path.rename = die  # type: ignore[method-assign, assignment]
        elif moment == "before the marker":
            Path.replace = die  # type: ignore[method-assign, assignment]
        replica.shared.take_up()
        die()
    finally:
        os._exit(1)


def test_a_copy_that_was_damaged_here_is_fetched_again_by_a_gateway_that_cannot_start_with_it(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    one, other = (Replica(tmp_path / name, redis_server.url) for name in ("one", "other"))
    one.promote(variant(tmp_path, "first"))
    other.shared.take_up()
    (other.settings.predictors_dir / "0001" / "arrays.npz").write_bytes(b"damaged")
    assert not other.shared.take_up()  # nothing else is in force
    assert take_up_at_start(other.settings)
    assert other.decides == Parcel.of(variant(tmp_path, "first")).digest
    (other.settings.predictors_dir / "0002" / "arrays.npz").write_bytes(b"damaged again")
    compared = other.shared.champion().folder  # a challenger is compared with one that is whole
    assert compared is not None
    assert Parcel.of(compared).digest == Parcel.of(variant(tmp_path, "first")).digest


def test_the_start_waits_for_no_redis_that_is_away_and_asks_none_for_the_operators_own(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    one = Replica(tmp_path / "one", redis_server.url)
    one.promote(variant(tmp_path, "first"))
    assert not take_up_at_start(Replica(tmp_path / "own", redis_server.url, path=SHIPPED).settings)
    assert not take_up_at_start(Replica(tmp_path / "away", "redis://127.0.0.1:1/0").settings)
    shutil.rmtree(one.settings.predictors_dir, ignore_errors=True)
    assert take_up_at_start(one.settings)


def test_a_cluster_shares_it_too(cluster_url: str, tmp_path: Path) -> None:
    one, other = (Replica(tmp_path / name, cluster_url, cluster=True) for name in ("one", "other"))
    one.promote(variant(tmp_path, "first"))
    one.promote(variant(tmp_path, "second"))
    assert other.shared.take_up()
    assert other.versions.in_force() == (1, 2)
