import os
import time
from pathlib import Path

import numpy as np
import pytest

from gateway.tools import RegistryStore, StoredTool
from gateway.tools.indexes.kept_indexes import KeptIndexes
from gateway.tools.registries import StoredRegistry
from predictors.encoders import StaticEncoder
from predictors.tools import StackedRetriever, ToolUsage

ENCODER = StaticEncoder.load()


def stored(folder: Path, *names: str) -> StoredRegistry:
    tools = [StoredTool(name=name, description=f"About {name}.") for name in names]
    usage = ToolUsage.of([f"some {names[0]}"], [[names[0]]])
    return RegistryStore(folder / "registries").save("office", tools, source="api", now_s=0.0, usage=usage)


def test_an_index_is_fitted_once_and_read_after_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registry, kept = stored(tmp_path, "rain", "train", "hotel"), KeptIndexes(tmp_path / "indexes")
    (before,) = kept.fitted(registry, ENCODER).rank(["will it rain"], 3)
    monkeypatch.setattr(StackedRetriever, "fit", None)
    (after,) = KeptIndexes(tmp_path / "indexes").fitted(registry, ENCODER).rank(["will it rain"], 3)
    assert before.tool_ids == after.tool_ids
    assert np.array_equal(before.scores, after.scores)


def test_a_damaged_index_is_fitted_again(tmp_path: Path) -> None:
    registry, kept = stored(tmp_path, "rain", "train", "hotel"), KeptIndexes(tmp_path / "indexes")
    kept.fitted(registry, ENCODER)
    (arrays,) = tmp_path.glob("indexes/office/1/arrays.npz")
    whole = arrays.read_bytes()
    arrays.write_bytes(whole[:-9])
    assert kept.fitted(registry, ENCODER).rank(["will it rain"], 1)[0].tool_ids == ("rain",)
    assert arrays.read_bytes() == whole


def test_an_index_of_other_tools_under_the_same_label_is_not_taken(tmp_path: Path) -> None:
    kept = KeptIndexes(tmp_path / "indexes")
    kept.fitted(stored(tmp_path / "one", "rain", "train"), ENCODER)
    found = kept.fitted(stored(tmp_path / "another", "boat", "plane"), ENCODER)
    assert set(found.rank(["a boat"], 2)[0].tool_ids) == {"boat", "plane"}


def test_of_a_registry_two_indexes_are_kept_for_their_owner_alone(tmp_path: Path) -> None:
    kept = KeptIndexes(tmp_path / "indexes")
    for names in (["rain"], ["rain", "train"], ["rain", "train", "hotel"]):
        kept.fitted(stored(tmp_path, *names), ENCODER)
    folders = sorted((tmp_path / "indexes" / "office").iterdir())
    assert [folder.name for folder in folders] == ["2", "3"]
    assert {folder.stat().st_mode & 0o077 for folder in folders} == {0}


def test_where_nothing_can_be_kept_the_index_serves_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "indexes").write_text("no folder")
    found = KeptIndexes(tmp_path / "indexes").fitted(stored(tmp_path, "rain", "train"), ENCODER)
    assert found.rank(["will it rain"], 1)[0].tool_ids == ("rain",)


def test_what_a_killed_gateway_had_begun_to_write_is_cleared_away(tmp_path: Path) -> None:
    folder = tmp_path / "indexes" / "office"
    left, begun = folder / ".part-left", folder / ".part-begun"
    for unfinished in (left, begun):
        unfinished.mkdir(parents=True)
        (unfinished / "arrays.npz").write_bytes(b"half")
    os.utime(left, (time.time() - 7_200, time.time() - 7_200))
    KeptIndexes(tmp_path / "indexes").fitted(stored(tmp_path, "rain", "train"), ENCODER)
    assert {path.name for path in folder.iterdir()} == {".part-begun", "1"}
