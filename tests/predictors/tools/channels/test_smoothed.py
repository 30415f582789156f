from predictors.tools import ToolUsage
from predictors.tools.channels.smoothed import SmoothedTool2Vec
from predictors.tools.evidence import Evidence
from tests.predictors.tools.toys import WEATHER_AND_MONEY, CountedWords, past_use


def test_vectors_of_a_registry_without_use_are_held_once() -> None:
    unused = SmoothedTool2Vec().learn(Evidence.gather(WEATHER_AND_MONEY, ToolUsage(), CountedWords()))
    assert unused.unit_aligned_ is unused.unit_whole_  # nothing was asked: whole requests and clauses say the same


def test_sums_of_requests_are_held_of_used_tools_alone() -> None:
    use = past_use().subset([0, 1])  # of the weather
    channel = SmoothedTool2Vec().learn(Evidence.gather(WEATHER_AND_MONEY, use, CountedWords()))
    assert channel.whole_.shape == (1, CountedWords.dim)
    assert channel.unit_whole_.shape == (len(WEATHER_AND_MONEY), CountedWords.dim)
