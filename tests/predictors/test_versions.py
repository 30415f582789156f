import errno
import multiprocessing
import os
import resource
import signal
from pathlib import Path
from typing import Any

import pytest

from predictors import BadArtefactError
from predictors.parcel import Parcel
from predictors.versions import Followed, NothingToRollBackError, OvertakenError, PredictorVersions


def saved(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    (folder / name / "manifest.json").write_text(name)
    return folder / name


def deciding(versions: PredictorVersions) -> str | None:
    folder = versions.deciding()
    return None if folder is None else (folder / "manifest.json").read_text()


def test_the_last_one_promoted_decides_and_rolling_back_undoes_one_at_a_time(tmp_path: Path) -> None:
    versions = PredictorVersions(tmp_path / "versions")
    assert deciding(versions) is None
    assert versions.changed_ns() is None
    assert [versions.promote(saved(tmp_path, name), {"n": 1}) for name in ("a", "b")] == [1, 2]
    assert deciding(versions) == "b"
    assert versions.roll_back() == 1
    assert deciding(versions) == "a"
    assert versions.roll_back() == 0
    assert deciding(versions) is None
    with pytest.raises(NothingToRollBackError, match="the predictor that ships decides"):
        versions.roll_back()


def test_what_was_rolled_back_is_kept_and_its_number_is_not_used_again(tmp_path: Path) -> None:
    versions = PredictorVersions(tmp_path / "versions")
    versions.promote(saved(tmp_path, "a"), {"evidence": "e"})
    versions.roll_back()
    assert versions.promote(saved(tmp_path, "b"), {}) == 2
    assert [(v.number, v.in_force, v.verdict) for v in versions.all()] == [(1, False, {"evidence": "e"}), (2, True, {})]
    assert versions.roll_back() == 0  # not 1, which was taken back for a reason


def test_rolling_back_reaches_any_version_that_was_in_force_before(tmp_path: Path) -> None:
    versions = PredictorVersions(tmp_path / "versions")
    for name in ("a", "b", "c"):
        versions.promote(saved(tmp_path, name), {})
    assert versions.roll_back(1) == 1
    assert deciding(versions) == "a"
    with pytest.raises(NothingToRollBackError, match=r"no version 2; earlier ones: 0"):
        versions.roll_back(2)


def test_every_change_is_noticed(tmp_path: Path) -> None:
    versions = PredictorVersions(tmp_path / "versions")
    seen = [versions.changed_ns()]
    for name in ("a", "b"):
        versions.promote(saved(tmp_path, name), {})
        seen.append(versions.changed_ns())
    versions.roll_back()
    seen.append(versions.changed_ns())
    assert len(set(seen)) == 4


def test_an_order_of_others_is_followed_once_and_named_beside_what_is_in_force(tmp_path: Path) -> None:
    versions = PredictorVersions(tmp_path / "versions")
    a, b = (Parcel.of(saved(tmp_path, name)) for name in ("a", "b"))
    before = versions.followed()
    assert versions.follow("x", [(4, a.digest), (5, b.digest)], {4: (a, {"n": 1}), 5: (b, {})}, since=before)
    assert (versions.in_force(), versions.followed()) == ((4, 5), Followed(order="x", ours={4: 4, 5: 5}))
    assert not versions.follow("y", [], {}, since=before)  # somebody was quicker
    assert deciding(versions) == "b"
    assert versions.promote(saved(tmp_path, "c"), {}) == 6
    assert versions.roll_back() == 5
    assert versions.followed().order == "x"  # of all of which it is still known
    assert versions.follow("z", [(4, a.digest), (6, a.digest)], {6: (a, {})}, since=versions.followed())
    assert versions.followed().ours == {4: 4, 6: 7}  # 6 is c here, and stays
    assert deciding(versions) == "a"


def test_a_version_of_others_that_is_no_longer_what_they_say_is_not_here(tmp_path: Path) -> None:
    versions, a = PredictorVersions(tmp_path / "versions"), Parcel.of(saved(tmp_path, "a"))
    versions.follow("x", [(1, a.digest)], {1: (a, {})}, since=Followed())
    assert versions.here(1, a.digest) == versions.deciding()
    (tmp_path / "versions" / "0001" / "manifest.json").write_text("damaged")
    assert versions.here(1, a.digest) is None
    assert versions.here(2, a.digest) is None


@pytest.mark.parametrize("followed", ["[]", "{}", '"x"', '{"order": "x", "ours": [1]}'])
def test_a_marker_that_tells_of_no_order_is_told_as_damaged(tmp_path: Path, followed: str) -> None:
    (tmp_path / "in-force.json").write_text(f'{{"format_version": 1, "in_force": [], "followed": {followed}}}')
    with pytest.raises(BadArtefactError, match=r"in-force\.json"):
        PredictorVersions(tmp_path).followed()


@pytest.mark.parametrize("content", ["{", "[]", '{"format_version": 2, "in_force": []}', '{"format_version": 1}'])
def test_a_damaged_marker_is_told_and_hides_nothing(tmp_path: Path, content: str) -> None:
    versions = PredictorVersions(tmp_path)
    (tmp_path / "in-force.json").write_text(content)
    with pytest.raises(BadArtefactError, match=r"in-force\.json"):
        versions.deciding()


def test_a_version_whose_folder_is_gone_is_told_with_the_way_back(tmp_path: Path) -> None:
    versions = PredictorVersions(tmp_path / "versions")
    versions.promote(saved(tmp_path, "a"), {})
    (tmp_path / "versions" / "0001").rename(tmp_path / "elsewhere")
    with pytest.raises(BadArtefactError, match="paretogate rollback"):
        versions.deciding()
    assert versions.roll_back() == 0


def test_promotions_of_several_processes_wait_for_each_other(tmp_path: Path) -> None:
    predictor, versions = saved(tmp_path, "a"), PredictorVersions(tmp_path / "versions")
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_promote_often, args=(versions.folder, predictor)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert [v.number for v in versions.all()] == list(range(1, 13))
    assert versions.roll_back(0) == 0
    assert not list(versions.folder.glob("new-*"))


def _promote_often(folder: Path, predictor: Path) -> None:
    for _ in range(4):
        PredictorVersions(folder).promote(predictor, {})


def test_whoever_was_judged_against_another_than_decides_is_not_put_in_force(tmp_path: Path) -> None:
    versions = PredictorVersions(tmp_path / "versions")
    assert versions.promote(saved(tmp_path, "a"), {}, over=0) == 1
    challenger = saved(tmp_path, "b")
    with pytest.raises(OvertakenError, match="version 1 decides by now"):
        versions.promote(challenger, {}, over=0)
    assert versions.promote(challenger, {}, over=1) == 2
    versions.roll_back(0)
    with pytest.raises(OvertakenError, match="the predictor that ships decides by now"):
        versions.promote(saved(tmp_path, "c"), {}, over=2)
    assert [version.number for version in versions.all()] == [1, 2]
    assert versions.deciding() is None


def test_what_a_killed_promotion_left_behind_is_cleared_by_the_next(tmp_path: Path) -> None:
    predictor, versions = saved(tmp_path, "a"), PredictorVersions(tmp_path / "versions")
    context = multiprocessing.get_context("spawn")
    killed = context.Process(target=_promote_and_be_killed, args=(versions.folder, predictor))
    killed.start()
    killed.join(60)
    assert killed.exitcode == -signal.SIGKILL
    assert [path.is_dir() for path in versions.folder.glob("new-*")] == [True]
    (versions.folder / "new-marker").write_text('{"format_ver')  # as of one killed while it wrote the marker
    assert versions.promote(predictor, {}) == 1
    assert deciding(versions) == "a"
    assert not list(versions.folder.glob("new-*"))


class _Deadly(dict[str, object]):
    """A verdict of which nothing can be written any more."""

    def items(self) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)


def _promote_and_be_killed(folder: Path, predictor: Path) -> None:
    PredictorVersions(folder).promote(predictor, _Deadly(n=1))


def test_a_predictor_that_cannot_be_copied_changes_nothing(tmp_path: Path) -> None:
    versions = PredictorVersions(tmp_path / "versions")
    versions.promote(saved(tmp_path, "a"), {})
    with pytest.raises(OSError, match="nowhere"):
        versions.promote(tmp_path / "nowhere", {})
    assert deciding(versions) == "a"
    assert not list(versions.folder.glob("new-*"))


@pytest.mark.parametrize("by", ["a promotion", "others"])
def test_a_predictor_is_on_the_disk_before_it_decides(by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = PredictorVersions(tmp_path / "versions")
    flushed: list[set[int]] = [set()]
    fsync, replace = os.fsync, Path.replace

    def noted(descriptor: int) -> None:
        flushed[-1].add(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    def moved(self: Path, target: Path) -> Path:
        flushed.append(set())
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", noted)
    monkeypatch.setattr(Path, "replace", moved)
    a = saved(tmp_path, "a")
    if by == "others":
        parcel = Parcel.of(a)
        versions.follow("x", [(1, parcel.digest)], {1: (parcel, {"n": 1})}, since=Followed())
    else:
        versions.promote(a, {"n": 1})
    folder = versions.deciding()
    assert folder is not None
    assert {path.stat().st_ino for path in (folder, *folder.rglob("*"))} <= flushed[0]


def test_nobody_waits_for_a_pipe_in_the_place_of_the_lock(tmp_path: Path) -> None:
    versions = PredictorVersions(tmp_path / "versions")
    (tmp_path / "versions").mkdir()
    os.mkfifo(tmp_path / "versions" / ".lock")
    assert versions.promote(saved(tmp_path, "a"), {}) == 1
    assert versions.roll_back() == 0


@pytest.mark.parametrize("kind", ["device", "pipe", "nowhere"])
def test_nothing_but_files_is_copied_with_a_predictor(tmp_path: Path, kind: str) -> None:
    """A link to /dev/zero would fill the disk."""
    versions, predictor = PredictorVersions(tmp_path / "versions"), saved(tmp_path, "a")
    match kind:
        case "device":
            (predictor / "more").symlink_to("/dev/null")  # of which a copy would end
        case "pipe":
            os.mkfifo(predictor / "more")
        case _:
            (predictor / "more").symlink_to(tmp_path / "nowhere")
    with pytest.raises(OSError, match="more"):
        versions.promote(predictor, {})
    assert deciding(versions) is None
    assert versions.all() == ()


def test_a_disk_that_is_full_is_told_and_what_decided_goes_on_deciding(tmp_path: Path) -> None:
    versions = PredictorVersions(tmp_path / "predictors")
    versions.promote(saved(tmp_path, "first"), {})
    large = saved(tmp_path, "second")
    (large / "ensemble-0").mkdir()
    (large / "ensemble-0" / "arrays.npz").write_bytes(b"x" * 4_096)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_048, limits[1]))  # the kernel refuses more, as it does on a full disk
    try:
        with pytest.raises(OSError, match="File too large") as refused:
            versions.promote(large, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert refused.value.errno == errno.EFBIG  # what the command line tells, with a remedy
    assert (versions.in_force(), [version.number for version in versions.all()]) == ((1,), [1])
