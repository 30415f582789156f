"""Limits that several processes of one machine count in the same files."""

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.state import (
    Claim,
    FileState,
    KeptState,
    Quota,
    Settlement,
    StateUnavailableError,
    begin_anew,
    counting_in,
    spent_in,
)
from tests.waiting import AT_MOST_S

NOON = 1_795_953_600.0  # 2026-11-29
QUOTA = Quota(budget_usd_per_day=1.0, max_concurrency=1, requests_per_minute=5)
_SPEND = """
import asyncio, sys
from pathlib import Path
from gateway.state import Claim, FileState, Quota, StateUnavailableError

async def main():
    store, granted = FileState(Path(sys.argv[1]), clock=lambda: 0.0), 0
    for _ in range(400):
        claim = Claim(holder="key", quota=Quota(budget_usd_per_day=1.0), wall_s=float(sys.argv[2]), cost_usd=0.002)
        while True:
            try:
                granted += (await store.reserve(claim)).refused_by is None
                break
            except StateUnavailableError:  # whoever holds the file was not given the processor for so long
                pass
    print(granted)

asyncio.run(main())
"""


def claim(usd: float = 0.0, **more: object) -> Claim:
    return Claim(holder="key", quota=QUOTA, wall_s=NOON, cost_usd=usd, **more)  # type: ignore[arg-type]


def test_processes_that_spend_at_the_same_time_spend_one_budget(tmp_path: Path) -> None:
    started = [
        subprocess.Popen([sys.executable, "-c", _SPEND, str(tmp_path), str(NOON)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    granted = [int(process.communicate(timeout=AT_MOST_S)[0]) for process in started]
    assert sum(granted) == 500  # $1 in steps of $0.002
    assert spent_in(tmp_path)["key"]["2026-11-29"] == 1_000_000_000


def test_a_process_killed_amid_counting_leaves_a_whole_account(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", _SPEND, str(tmp_path), str(NOON)], stdout=subprocess.DEVNULL)
    while not spent_in(tmp_path).get("key"):
        assert process.poll() in (None, 0)
    process.kill()
    process.wait()
    assert spent_in(tmp_path)["key"]["2026-11-29"] % 2_000_000 == 0


async def test_a_second_gateway_in_the_same_place_forgets_nothing_of_the_first_and_says_what_that_means(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It freed the places and began the rates anew of whoever counted there."""
    folder, spent = tmp_path / "limits", tmp_path / "spent.json"
    with counting_in(folder, spent):
        first = FileState(folder, clock=lambda: NOON)
        assert (await first.reserve(claim(lease_id="a", requests=5))).refused_by is None
        assert "state_used" not in capsys.readouterr().out
        with counting_in(folder, spent):
            assert "state_used_by_another_gateway" in capsys.readouterr().out
            refused_by = (
                await FileState(folder, clock=lambda: NOON).reserve(claim(lease_id="b", requests=1))
            ).refused_by
            assert refused_by == "requests_per_minute"
    with counting_in(folder, spent):
        assert "state_used" not in capsys.readouterr().out
        assert (await FileState(folder, clock=lambda: NOON).reserve(claim(lease_id="b", requests=1))).refused_by is None


async def test_a_disk_that_is_full_half_way_through_an_account_leaves_what_was_spent(tmp_path: Path) -> None:
    """Half an account was none: the budget began anew."""
    store = FileState(tmp_path, clock=lambda: NOON)
    await store.reserve(claim(0.25))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (os.stat(tmp_path / "key.json").st_size + 9, limits[1]))  # noqa: PTH116
    try:  # as a disk with 9 bytes left
        with pytest.raises(StateUnavailableError, match="No space left"):
            await store.reserve(claim(0.25, lease_id="that makes the account longer"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert spent_in(tmp_path)["key"]["2026-11-29"] == 250_000_000
    assert (await store.reserve(claim(0.75))).refused_by is None


async def test_a_start_keeps_what_was_spent_and_frees_places(tmp_path: Path) -> None:
    first = FileState(tmp_path, clock=lambda: NOON)
    await first.reserve(claim(0.25, lease_id="a", requests=5))
    assert (await first.reserve(claim(lease_id="b"))).refused_by == "max_concurrency"
    begin_anew(tmp_path, {"key": {"2026-11-29": 500_000_000}, "other": {"2026-11-29": 3}})
    grant = await FileState(tmp_path, clock=lambda: NOON).reserve(claim(lease_id="b", requests=1))
    assert (grant.refused_by, grant.requests_left) == (None, 4)
    assert grant.usd_left == pytest.approx(0.5)  # one worker had counted more before
    assert spent_in(tmp_path)["other"] == {"2026-11-29": 3}


@pytest.mark.parametrize("hours_back", [1, 24 * 365])
async def test_a_clock_that_is_set_back_makes_nobody_wait_longer_than_before(tmp_path: Path, hours_back: int) -> None:
    now = [NOON]
    store = FileState(tmp_path, clock=lambda: now[0])
    assert (await store.reserve(claim(lease_id="a", lease_s=600.0, requests=5))).refused_by is None
    now[0] -= 3_600.0 * hours_back
    refused = await store.reserve(claim(lease_id="b", requests=1))
    assert (refused.refused_by, refused.retry_after_s) == ("requests_per_minute", pytest.approx(12.0))
    now[0] += 12.0  # a fifth of a minute, in which one of five comes back
    assert (await store.reserve(claim(lease_id="b", requests=1))).refused_by == "max_concurrency"
    now[0] += 588.0  # the place of whoever took it and never gave it back
    assert (await store.reserve(claim(lease_id="b", requests=1))).refused_by is None


async def test_a_single_worker_knows_what_several_have_spent(tmp_path: Path) -> None:
    several = FileState(tmp_path / "limits", clock=lambda: NOON)
    await several.reserve(claim(0.25))
    one = KeptState(tmp_path / "spent.json", clock=lambda: NOON, elsewhere=spent_in(tmp_path / "limits"))
    assert (await one.reserve(claim())).usd_left == pytest.approx(0.75)


async def test_a_bill_is_settled_by_whichever_process(tmp_path: Path) -> None:
    one, two = (FileState(tmp_path, clock=lambda: NOON) for _ in range(2))
    await one.reserve(claim(0.5, lease_id="a"))
    await two.settle(Settlement(holder="key", quota=QUOTA, wall_s=NOON, cost_usd_more=-0.4, lease_id="a"))
    grant = await one.reserve(claim(lease_id="b"))
    assert (grant.refused_by, grant.usd_left) == (None, pytest.approx(0.9))


async def test_what_cannot_be_written_is_somebody_elses_to_answer(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = FileState(tmp_path / "file", clock=lambda: NOON)
    with pytest.raises(StateUnavailableError):
        await store.reserve(claim(0.1))


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"tat_s": 3, "leases": {}, "spent_nano": {}}'])
async def test_a_damaged_file_is_told_and_begun_anew(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "key.json").write_bytes(content)
    grant = await FileState(tmp_path, clock=lambda: NOON).reserve(claim())
    assert grant.usd_left == pytest.approx(1.0)
    assert "spending_unreadable" in capsys.readouterr().out


async def test_holders_whose_names_are_no_names_of_files_are_told_apart(tmp_path: Path) -> None:
    store = FileState(tmp_path, clock=lambda: NOON)
    for holder in ("../a", "a/b", "ä"):
        await store.reserve(Claim(holder=holder, quota=QUOTA, wall_s=NOON, cost_usd=0.1))
    assert spent_in(tmp_path).keys() == {"../a", "a/b", "ä"}


@pytest.mark.parametrize("deleted", ["folder", "file", "content"])
async def test_a_folder_that_is_deleted_amid_serving_is_made_anew_and_forgives_no_budget(
    tmp_path: Path, deleted: str
) -> None:
    """Until the next start every worker counted for itself, and a deleted account was a new budget."""
    folder = tmp_path / "limits"
    store = FileState(folder, clock=lambda: NOON)
    await store.reserve(claim(0.75, lease_id="a"))
    match deleted:
        case "folder":
            shutil.rmtree(folder)
        case "file":
            (folder / "key.json").unlink()
        case _:
            (folder / "key.json").write_bytes(b"{")
    grant = await store.reserve(claim(0.5, lease_id="b"))
    assert (grant.refused_by, grant.usd_left) == ("max_concurrency", pytest.approx(0.25))
    await store.settle(Settlement(holder="key", quota=QUOTA, wall_s=NOON, cost_usd_more=-0.25, lease_id="a"))
    assert spent_in(folder)["key"]["2026-11-29"] == 500_000_000


async def test_what_could_not_be_written_was_not_counted(tmp_path: Path) -> None:
    """It is told to the file later, which would count it twice."""
    folder = tmp_path / "limits"
    store = FileState(folder, clock=lambda: NOON)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (9, limits[1]))
    try:  # as a disk with 9 bytes left
        with pytest.raises(StateUnavailableError, match="No space left"):
            await store.reserve(claim(0.75))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (await store.reserve(claim(0.75))).usd_left == pytest.approx(0.25)
