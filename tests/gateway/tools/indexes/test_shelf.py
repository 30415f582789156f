from copy import deepcopy
from typing import Any

import numpy as np
import pytest

from gateway.tools.indexes.shelf import ToolIndex
from predictors.encoders import StaticEncoder
from predictors.tools import StackedRetriever, Tool, ToolRegistry, ToolUsage, UsageStatistics

ENCODER = StaticEncoder.load()
TOOLS = ToolRegistry(tools=tuple(Tool(tool_id=name, name=name) for name in ("rain", "train", "hotel", "music")))


def an_index() -> ToolIndex:
    usage = ToolUsage.of(["will it rain", "play a song"], [["rain"], ["music"]])
    return ToolIndex(StackedRetriever(ENCODER).fit(TOOLS, usage), TOOLS)


def test_an_index_that_serves_is_not_changed_by_those_that_are_made_of_it() -> None:
    index, asked = an_index(), ["a room for the night"]
    (before,) = index.rank(asked, k=4)
    observed = UsageStatistics(dim=ENCODER.dim, half_life_s=1e6)
    for _ in range(20):
        observed.observe("train", ENCODER.encode(asked)[0], replica="r", at_s=0.0)
    (taught,) = index.having_learned(observed, now_s=0.0).rank(asked, k=4)
    (part,) = index.over(TOOLS.without(["hotel"])).rank(asked, k=4)
    assert taught.tool_ids[0] == "train"
    assert len(part.tool_ids) == 3
    (after,) = index.rank([*asked, "anew"], k=4)[:1]
    assert index.rank(["a room for the  night"], k=4)[0].tool_ids == before.tool_ids  # not the remembered answer
    assert after.tool_ids == before.tool_ids
    assert np.array_equal(after.scores, before.scores)


def test_tools_are_not_copied_for_an_index_over_a_part_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[Any] = []
    monkeypatch.setattr(Tool, "__deepcopy__", lambda tool, memo: copied.append((tool, memo)) or tool, raising=False)
    deepcopy(TOOLS)
    assert len(copied) == 4  # it would be told of
    index = an_index()
    copied.clear()
    index.over(TOOLS.without(["hotel"]))
    assert copied == []
