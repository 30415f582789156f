"""Spending outlives the process that counted it."""

import asyncio
from pathlib import Path

import pytest
import structlog

from gateway.state import Claim, KeptState, Quota
from tests.gateway.governance.test_governor import ask, make_key
from tests.gateway.running import pair
from tests.waiting import until

NOON = 1_795_953_600.0  # 2026-11-29
QUOTA = Quota(budget_usd_per_day=1.0, requests_per_minute=1)


def claim(usd: float = 0.0) -> Claim:
    return Claim(holder="key", quota=QUOTA, wall_s=NOON, requests=0, cost_usd=usd)


def state(folder: Path) -> KeptState:
    return KeptState(folder / "spent.json", clock=lambda: 0.0, every_s=0.01)


async def test_what_was_spent_is_known_to_the_next_process(tmp_path: Path) -> None:
    first = state(tmp_path)
    await first.reserve(claim(0.75))
    await first.close()
    assert (await state(tmp_path).reserve(claim())).usd_left == pytest.approx(0.25)


async def test_it_is_written_while_money_is_spent_and_for_its_owner_alone(tmp_path: Path) -> None:
    first = state(tmp_path)
    keeping = asyncio.create_task(first.keep())
    await first.reserve(claim(0.75))
    await until((tmp_path / "spent.json").exists)
    keeping.cancel()
    assert (tmp_path / "spent.json").stat().st_mode & 0o777 == 0o600
    assert (await state(tmp_path).reserve(claim())).usd_left == pytest.approx(0.25)  # never closed: as after a crash


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"key": 3}', b'{"key": {"2026-11": "1"}}'])
async def test_a_damaged_file_is_told_and_begun_anew(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "spent.json").write_bytes(content)
    assert (await state(tmp_path).reserve(claim())).usd_left == pytest.approx(1.0)
    assert "spending_unreadable" in capsys.readouterr().out


async def test_a_second_gateway_in_the_same_place_says_what_that_means(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = state(tmp_path)
    assert "state_used" not in capsys.readouterr().out
    second = state(tmp_path)
    told = capsys.readouterr().out
    assert "state_used_by_another_gateway" in told
    assert "state.url" in told
    for ended in (second, first):
        await ended.close()
    await state(tmp_path).close()
    assert "state_used" not in capsys.readouterr().out


@pytest.mark.loopback
async def test_a_restart_forgives_no_budget(tmp_path: Path) -> None:
    key = make_key(tmp_path, budget_usd_per_day=0.000_25)  # each call of the strong model's costs $0.00012
    async with pair(tmp_path) as (gateway, _, __):
        answers = [await ask(gateway, key, model="strong") for _ in range(3)]
    async with pair(tmp_path) as (gateway, strong, _):
        after = await ask(gateway, key, model="strong")
    assert answers[-1].status_code == after.status_code == 402
    assert strong.requests == []


async def test_a_disk_that_takes_nothing_is_told_once_and_gets_it_when_it_does(tmp_path: Path) -> None:
    """It was a crash with all its places, every five seconds."""
    folder = tmp_path / "state"
    with structlog.testing.capture_logs() as log:
        first = state(folder)
        folder.rename(tmp_path / "aside")
        folder.touch()  # a file, in which none can be made
        keeping = asyncio.create_task(first.keep())
        await first.reserve(claim(0.75))
        await until(lambda: log)
        await asyncio.sleep(0.05)  # it goes on trying, and tells of it no more
        folder.unlink()
        await until(lambda: len(log) > 1)
        keeping.cancel()
    assert [entry["event"] for entry in log] == ["spending_not_kept", "spending_kept_again"]
    assert (await state(folder).reserve(claim())).usd_left == pytest.approx(0.25)
