"""Which index serves a version of a registry while its own is fitted."""

import gc
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.dispatch import Clocks
from gateway.tools import RegistryStore, StoredTool
from gateway.tools.indexes.kept_indexes import KeptIndexes
from gateway.tools.indexes.registry_indexes import RegistryIndexes
from gateway.tools.indexes.shelf import IndexShelf
from gateway.tools.registries import StoredRegistry
from predictors.encoders import StaticEncoder
from predictors.tools import StackedRetriever, ToolUsage, UsageStatistics
from tests.waiting import AT_MOST_S

ENCODER = StaticEncoder.load()
ASKED = "Is it going to be nice outside?"


def indexes(kept: KeptIndexes | None = None) -> RegistryIndexes:
    clocks = Clocks(wall=lambda: 0.0, monotonic=lambda: 0.0)
    return RegistryIndexes(IndexShelf(lambda: ENCODER), kept=kept, clocks=clocks)


def stored(folder: Path, **descriptions: str) -> StoredRegistry:
    tools = [StoredTool(name=name, description=text) for name, text in descriptions.items()]
    usage = ToolUsage.of(["some rain"], [[tools[0].name]])
    return RegistryStore(folder / "registries").save("office", tools, source="api", now_s=0.0, usage=usage)


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Indexes are fitted while this is set."""
    allowed, fit = threading.Event(), StackedRetriever.fit
    allowed.set()
    monkeypatch.setattr(StackedRetriever, "fit", lambda *given: (allowed.wait(AT_MOST_S), fit(*given))[1])
    yield allowed
    allowed.set()


async def test_the_index_of_another_version_stands_in_and_knows_the_tools_of_this_one(
    tmp_path: Path, fits: threading.Event
) -> None:
    at = indexes()
    await at.of(stored(tmp_path, rain="About rain.", train="About trains.", hotel="About hotels."))
    newer = stored(tmp_path, rain="About rain.", train="About music.", boat="About boats.")
    fits.clear()
    for_now = await at.of(newer)
    assert for_now.stands_in
    assert for_now.tool_ids == {"rain", "train", "boat"}
    assert [for_now.rank([f"some {what}"], k=1)[0].tool_ids for what in ("boats", "music")] == [("boat",), ("train",)]
    assert await at.of(newer) is for_now
    fits.set()
    own = await at.fitted(newer)
    assert not own.stands_in
    assert await at.of(newer) is own


async def test_what_was_learned_from_calls_holds_while_another_version_stands_in(
    tmp_path: Path, fits: threading.Event
) -> None:
    at, tools = indexes(), {"rain": "About rain.", "train": "About trains.", "hotel": "About hotels."}
    learned = UsageStatistics(dim=ENCODER.dim, half_life_s=1e9)
    for _ in range(20):
        learned.observe("hotel", ENCODER.encode([ASKED])[0], replica="r", at_s=0.0)
    await at.take_up(stored(tmp_path, **tools), learned)
    newer = stored(tmp_path, **tools, boat="About boats.")
    fits.clear()
    for_now = await at.of(newer)
    assert for_now.stands_in
    assert for_now.rank([ASKED], k=1)[0].tool_ids == ("hotel",)
    fits.set()
    await at.fitted(newer)
    own = await at.of(newer)
    assert (own.stands_in, own.rank([ASKED], k=1)[0].tool_ids) == (False, ("hotel",))


async def test_a_kept_index_stands_in_after_a_restart(tmp_path: Path, fits: threading.Event) -> None:
    kept = KeptIndexes(tmp_path / "indexes")
    await indexes(kept).of(stored(tmp_path, rain="About rain.", train="About trains."))
    newer = stored(tmp_path, rain="About rain.", boat="About boats.")
    fits.clear()
    at = indexes(kept)
    for_now = await at.of(newer)
    assert (for_now.stands_in, for_now.tool_ids) == (True, {"rain", "boat"})
    fits.set()
    assert not (await at.fitted(newer)).stands_in
    assert not (await indexes(kept).of(newer)).stands_in  # its own is kept by now


async def test_where_no_index_can_stand_in_the_own_one_is_waited_for(tmp_path: Path) -> None:
    kept = KeptIndexes(tmp_path / "indexes")
    await indexes(kept).of(stored(tmp_path, rain="About rain.", train="About trains."))
    arrays = tmp_path / "indexes/office/1/arrays.npz"
    arrays.write_bytes(arrays.read_bytes()[:-9])
    found = await indexes(kept).of(stored(tmp_path, rain="About rain.", boat="About boats."))
    assert (found.stands_in, found.tool_ids) == (False, {"rain", "boat"})


async def test_of_many_versions_the_last_three_that_were_asked_for_are_held(tmp_path: Path) -> None:
    """All were, so that a registry that comes anew every hour filled the memory."""
    at, versions = indexes(), [stored(tmp_path, rain="About rain.", boat="Boat." * n) for n in range(1, 6)]
    held = [weakref.ref(await at.fitted(version)) for version in versions[:3]]
    await at.of(versions[0])
    stand_ins = [weakref.ref(await at.of(version)) for version in versions[3:]]
    for version in versions[3:]:
        await at.fitted(version)
    gc.collect()
    assert [index() is not None for index in (*held, *stand_ins)] == [True, False, False, False, False]
    assert (await at.fitted(versions[1])).tool_ids == {"rain", "boat"}
