import io
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.journal import JournalReader, SqliteJournal
from gateway.tools.calls.learning import learn_tools, read_learned
from gateway.tools.calls.observing import packed
from predictors.tools import Tool, ToolRegistry, UsageStatistics

DAY_S = 86_400.0
NOW_S = 1_735_689_600.0 + DAY_S
REGISTRY = ToolRegistry(tools=tuple(Tool(tool_id=name, name=name) for name in ("a", "b")))


def outcome(number: int, tool: str, *, ok: bool = True) -> dict[str, Any]:
    vector = packed(np.eye(4, dtype=np.float32)[number % 4])
    told = {"observed": [{"tool": tool, "ok": ok}], "vector": vector, "registry": "office@1"}
    return {"decision_id": f"d{number}", "time": NOW_S, "status": "ok", "tools": told}


async def journalled(path: Path, outcomes: Sequence[dict[str, Any]]) -> Path:
    journal = SqliteJournal(path)
    for record in outcomes:
        journal.write("outcome", record)
    await journal.close()
    return path


async def test_observed_calls_become_sums_and_are_counted_once(tmp_path: Path) -> None:
    path = await journalled(tmp_path / "j.sqlite3", [outcome(0, "a"), outcome(1, "b", ok=False)])
    assert learn_tools(path, tmp_path / "usage", half_life_s=DAY_S, now_s=NOW_S) == 2
    assert learn_tools(path, tmp_path / "usage", half_life_s=DAY_S, now_s=NOW_S) == 0
    learned = read_learned(tmp_path / "usage", "office")
    assert learned is not None
    totals, weights = learned.sums(REGISTRY, now_s=NOW_S)
    assert weights.tolist() == [1.0, 0.25]  # a call that failed is worth a quarter
    assert totals[0].tolist() == [1.0, 0.0, 0.0, 0.0]
    assert learned.sums(REGISTRY, now_s=NOW_S + DAY_S)[1].tolist() == [0.5, 0.125]


async def test_a_later_pass_adds_to_an_earlier_one(tmp_path: Path) -> None:
    path = await journalled(tmp_path / "j.sqlite3", [outcome(0, "a")])
    learn_tools(path, tmp_path / "usage", half_life_s=DAY_S, now_s=NOW_S)
    await journalled(path, [outcome(1, "a"), outcome(2, "b")])
    assert learn_tools(path, tmp_path / "usage", half_life_s=DAY_S, now_s=NOW_S) == 2
    learned = read_learned(tmp_path / "usage", "office")
    assert learned is not None
    assert learned.n_events() == {"a": 2, "b": 1}


async def test_a_pass_that_was_killed_before_its_end_counts_nothing_twice(tmp_path: Path) -> None:
    path = await journalled(tmp_path / "j.sqlite3", [outcome(0, "a")])
    learn_tools(path, tmp_path / "usage", half_life_s=DAY_S, now_s=NOW_S)
    (progress,) = (tmp_path / "usage").glob("*.json")
    progress.unlink()  # as if the process had been killed ahead of writing how far it has read
    await journalled(path, [outcome(1, "b")])
    assert learn_tools(path, tmp_path / "usage", half_life_s=DAY_S, now_s=NOW_S) == 1
    learned = read_learned(tmp_path / "usage", "office")
    assert learned is not None
    assert learned.n_events() == {"a": 1, "b": 1}


async def test_to_begin_again_and_be_killed_amid_it_forgets_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await journalled(tmp_path / "j.sqlite3", [outcome(0, "a"), outcome(1, "b")])
    learn_tools(path, tmp_path / "usage", half_life_s=DAY_S, now_s=NOW_S)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as amid:
        amid.setattr(JournalReader, "outcomes", killed)
        with pytest.raises(KeyboardInterrupt):
            learn_tools(path, tmp_path / "usage", half_life_s=DAY_S, now_s=NOW_S, rebuild=True)
    assert learn_tools(path, tmp_path / "usage", half_life_s=DAY_S, now_s=NOW_S) == 2
    learned = read_learned(tmp_path / "usage", "office")
    assert learned is not None
    assert learned.n_events() == {"a": 1, "b": 1}


async def test_a_half_life_of_an_hour_is_learned_with_years_later(tmp_path: Path) -> None:
    record = {**outcome(0, "a"), "time": NOW_S + 2_000 * DAY_S}
    path = await journalled(tmp_path / "j.sqlite3", [record])
    assert learn_tools(path, tmp_path / "usage", half_life_s=3_600.0, now_s=NOW_S + 2_000 * DAY_S) == 1


async def test_to_begin_again_forgets_what_the_journal_no_longer_tells(tmp_path: Path) -> None:
    path = await journalled(tmp_path / "j.sqlite3", [outcome(0, "a")])
    learn_tools(path, tmp_path / "usage", half_life_s=DAY_S, now_s=NOW_S)
    with sqlite3.connect(path) as database:
        database.execute("DELETE FROM outcomes")
    learn_tools(path, tmp_path / "usage", half_life_s=DAY_S, now_s=NOW_S, rebuild=True)
    assert read_learned(tmp_path / "usage", "office") is None


async def test_two_journals_merge(tmp_path: Path) -> None:
    for name in ("one", "two"):
        path = await journalled(tmp_path / f"{name}.sqlite3", [outcome(0, "a")])
        learn_tools(path, tmp_path / "usage", half_life_s=DAY_S, now_s=NOW_S)
    learned = read_learned(tmp_path / "usage", "office")
    assert learned is not None
    assert learned.n_events() == {"a": 2}


async def test_a_damaged_file_is_left_out(tmp_path: Path) -> None:
    path = await journalled(tmp_path / "j.sqlite3", [outcome(0, "a")])
    learn_tools(path, tmp_path / "usage", half_life_s=DAY_S, now_s=NOW_S)
    (tmp_path / "usage" / "office" / "0.npz").write_bytes(b"PK")
    learned = read_learned(tmp_path / "usage", "office")
    assert learned is not None
    assert learned.n_events() == {"a": 1}


def test_without_a_journal_there_is_nothing_to_learn(tmp_path: Path) -> None:
    assert learn_tools(tmp_path / "none.sqlite3", tmp_path / "usage", half_life_s=DAY_S, now_s=NOW_S) == 0
    assert read_learned(tmp_path / "usage", "office") is None


def seen(events: Sequence[tuple[str, int, float]]) -> UsageStatistics:
    statistics = UsageStatistics(dim=4, half_life_s=DAY_S)
    for tool, axis, age_s in events:
        vector = np.eye(4, dtype=np.float32)[axis]
        statistics.observe(tool, vector, replica=f"r{axis % 2}", at_s=NOW_S + age_s)
    return statistics


EVENTS = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 3), st.sampled_from([0.0, DAY_S, 2 * DAY_S])), max_size=12
)


@given(EVENTS)
def test_what_two_replicas_saw_apart_merges_to_what_was_seen_together(
    events: list[tuple[str, int, float]],
) -> None:
    halves = [[e for e in events if e[1] % 2 == replica] for replica in (0, 1)]
    merged, whole = seen(halves[0]).merge(seen(halves[1])), seen(events)
    for ours, theirs in zip(merged.sums(REGISTRY, now_s=NOW_S), whole.sums(REGISTRY, now_s=NOW_S), strict=True):
        assert np.array_equal(ours, theirs)


@given(EVENTS, st.integers(0, 12))
def test_a_replicas_earlier_and_later_events_add_up_and_survive_a_file(
    events: list[tuple[str, int, float]], cut: int
) -> None:
    added = seen(events[:cut]).plus(seen(events[cut:]))
    back, whole = UsageStatistics.from_arrays(added.to_arrays()), seen(events)
    for ours, theirs in zip(back.sums(REGISTRY, now_s=NOW_S), whole.sums(REGISTRY, now_s=NOW_S), strict=True):
        assert np.allclose(ours, theirs, rtol=1e-12)
    assert back.n_events() == whole.n_events()


@pytest.mark.parametrize("registry", ["../../elsewhere", "/elsewhere", "..", "", "a/b", ["a"]])
async def test_a_record_of_no_registry_writes_nowhere(tmp_path: Path, registry: object) -> None:
    odd = outcome(0, "a")
    odd["tools"]["registry"] = registry
    path = await journalled(tmp_path / "j.sqlite3", [odd, outcome(1, "b")])
    assert learn_tools(path, tmp_path / "state" / "usage", half_life_s=DAY_S, now_s=NOW_S) == 1
    written = {path.relative_to(tmp_path).parts[:3] for path in tmp_path.rglob("*.npz")}  # noqa: ASYNC240
    assert written == {("state", "usage", "office")}


@pytest.mark.parametrize(
    "observed", [5, "text", {"tool": "a"}, [5], [{}], [{"tool": None}], [{"tool": ["a"]}], [{"tool": "a" * 100_000}]]
)
async def test_a_record_of_odd_calls_keeps_no_other_from_being_counted(tmp_path: Path, observed: object) -> None:
    odd = outcome(0, "a")
    odd["tools"]["observed"] = observed
    path = await journalled(tmp_path / "j.sqlite3", [odd, outcome(1, "b")])
    assert learn_tools(path, tmp_path / "usage", half_life_s=DAY_S, now_s=NOW_S) == 1


def _packed(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _whole() -> dict[str, Any]:
    statistics = UsageStatistics(dim=2, half_life_s=DAY_S)
    statistics.observe("a", np.eye(2, dtype=np.float32)[0], replica="r", at_s=NOW_S)
    return statistics.to_arrays()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04" + b"x" * 100,
        _packed(**{**_whole(), "totals": np.zeros(0)}),
        _packed(**{**_whole(), "totals": np.full((1, 2), np.nan)}),
        _packed(**{**_whole(), "keys": np.array(["a"])}),
        _packed(**{**_whole(), "half_life_s": np.array("x")}),
        _packed(**{**_whole(), "as_of_s": np.zeros((1, 2))}),
        _packed(totals=np.zeros(300 << 17)),  # 300 MB of zeros
    ],
)
def test_a_file_of_sums_that_others_made_is_left_out_whatever_is_in_it(tmp_path: Path, content: bytes) -> None:
    folder = tmp_path / "usage" / "office"
    folder.mkdir(parents=True)
    (folder / "1.npz").write_bytes(content)
    (folder / "2.npz").write_bytes(_packed(**_whole()))
    learned = read_learned(tmp_path / "usage", "office")
    assert learned is not None
    assert learned.n_events() == {"a": 1}


async def test_a_clock_that_ran_ahead_neither_forgets_what_was_learned_nor_outweighs_what_follows(
    tmp_path: Path,
) -> None:
    years_ahead = {**outcome(1, "a"), "time": NOW_S + 3_650 * DAY_S}
    path = await journalled(tmp_path / "j.sqlite3", [outcome(0, "a"), years_ahead])
    assert learn_tools(path, tmp_path / "usage", half_life_s=DAY_S, now_s=NOW_S) == 2
    await journalled(path, [{**outcome(2, "a"), "time": NOW_S + DAY_S}])
    assert learn_tools(path, tmp_path / "usage", half_life_s=DAY_S, now_s=NOW_S + DAY_S) == 1
    learned = read_learned(tmp_path / "usage", "office")
    assert learned is not None
    assert learned.sums(REGISTRY, now_s=NOW_S + DAY_S)[1].tolist() == [2.0, 0.0]  # a half, a half, and one


async def test_what_was_learned_while_this_clock_ran_ahead_counts_as_of_when_it_was_set_right(tmp_path: Path) -> None:
    later_s = NOW_S + 3_650 * DAY_S
    path = await journalled(tmp_path / "j.sqlite3", [{**outcome(0, "a"), "time": later_s}])
    learn_tools(path, tmp_path / "usage", half_life_s=DAY_S, now_s=later_s)
    await journalled(path, [outcome(1, "a")])
    learn_tools(path, tmp_path / "usage", half_life_s=DAY_S, now_s=NOW_S)
    learned = read_learned(tmp_path / "usage", "office")
    assert learned is not None
    assert learned.sums(REGISTRY, now_s=NOW_S)[1].tolist() == [2.0, 0.0]


async def test_progress_that_cannot_be_read_counts_nothing_twice(tmp_path: Path) -> None:
    path = await journalled(tmp_path / "j.sqlite3", [outcome(0, "a")])
    learn_tools(path, tmp_path / "usage", half_life_s=DAY_S, now_s=NOW_S)
    (progress,) = (tmp_path / "usage").glob("*.json")
    progress.write_text("{")
    assert learn_tools(path, tmp_path / "usage", half_life_s=DAY_S, now_s=NOW_S) == 0
