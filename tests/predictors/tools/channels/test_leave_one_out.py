"""Scores of past requests must be those of a channel that never saw the request: the rule all channels share."""

import numpy as np
import pytest

from predictors.tools import Tool, ToolRegistry, ToolUsage
from predictors.tools.channels.neighbours import UsageNeighbours
from predictors.tools.channels.smoothed import SmoothedTool2Vec
from predictors.tools.channels.tool2vec import Tool2Vec
from predictors.tools.channels.word_neighbours import WordNeighbours
from predictors.tools.evidence import Evidence
from predictors.tools.protocol import Channel
from tests.predictors.tools.toys import CountedWords

REGISTRY = ToolRegistry(
    tools=tuple(Tool(tool_id=n, name=n, description=f"{n} tool") for n in ("weather", "convert", "flight", "hotel"))
)
USAGE = ToolUsage.of(
    [
        "rain in the city and book a hotel room",
        "weather forecast for the city",
        "exchange dollar to euro now",
        "book a flight to the city, then exchange dollar",
        "book a room in a hotel",
        "exchange euro for dollar",
    ],
    [["weather", "hotel"], ["weather"], ["convert"], ["flight", "convert"], ["hotel"], ["convert"]],
)


@pytest.mark.parametrize("make", [Tool2Vec, SmoothedTool2Vec, UsageNeighbours])
def test_a_past_request_is_scored_as_if_it_had_never_been_made(make: type[Channel]) -> None:
    evidence = Evidence.gather(REGISTRY, USAGE, CountedWords())
    scored = make().learn(evidence).score_past(np.arange(len(USAGE)))
    for row in range(len(USAGE)):
        others = USAGE.subset([other for other in range(len(USAGE)) if other != row])
        without = make().learn(Evidence.gather(REGISTRY, others, CountedWords()))
        assert scored[:, row] == pytest.approx(without.score(evidence.past.subset(np.array([row])))[:, 0], abs=1e-5)


def test_the_only_request_has_no_neighbour_in_words() -> None:
    evidence = Evidence.gather(REGISTRY, USAGE.subset([0]), CountedWords())
    channel = WordNeighbours().learn(evidence)
    assert not channel.score_past(np.array([0])).any()
    assert channel.score(evidence.past)[0, 0].tolist() == [1.0, 0.0, 0.0, 1.0]  # asked by a stranger, it votes
