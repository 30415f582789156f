import numpy as np

from predictors.tools import Tool, ToolRegistry, ToolUsage
from predictors.tools.channels.bm25 import Bm25
from predictors.tools.channels.smoothed import SmoothedTool2Vec
from predictors.tools.evidence import Evidence, QueryBatch
from predictors.tools.prefilter import Prefilter

from .toys import WEATHER_AND_MONEY, CountedWords, past_use

MANY = ToolRegistry(
    tools=(*WEATHER_AND_MONEY, *(Tool(tool_id=f"n{i}", name=f"noise {i}", description="None.") for i in range(600)))
)


def evidence_of(registry: ToolRegistry, usage: ToolUsage) -> Evidence:
    return Evidence.gather(registry, usage, CountedWords())


def put_forward(prefilter: Prefilter, request: str) -> set[str]:
    rows = prefilter.rows(QueryBatch.read([request], CountedWords()))
    assert (np.diff(rows) > 0).all()
    return {prefilter.evidence_.registry.tools[row].tool_id for row in rows}


def made(evidence: Evidence) -> Prefilter:
    return Prefilter(Bm25().learn(evidence), SmoothedTool2Vec().learn(evidence)).learn(evidence)


def test_words_meaning_and_similar_requests_each_put_tools_forward() -> None:
    prefilter = made(evidence_of(MANY, past_use()))
    assert "weather" in put_forward(prefilter, "forecast")
    assert "mystery" in put_forward(prefilter, "song")  # by its parameter, and by the request that used it
    found = put_forward(prefilter, "noise 599")
    assert "n599" in found
    assert len(found) < 604


def test_a_change_is_indexed_without_the_rest() -> None:
    evidence = evidence_of(MANY, past_use())
    words, meaning = Bm25().learn(evidence), SmoothedTool2Vec().learn(evidence)
    prefilter = Prefilter(words, meaning).learn(evidence)
    alarm = Tool(tool_id="alarm", name="alarm", description="Wake up by an alarm.")
    changed = evidence.with_registry(MANY.without(["weather"]).with_tools([alarm]))
    words.update(changed)
    meaning.update(changed)
    prefilter.update(changed)
    assert len(prefilter.index_) == 604
    assert "alarm" in put_forward(prefilter, "wake me")
    assert "weather" not in put_forward(prefilter, "weather forecast")
