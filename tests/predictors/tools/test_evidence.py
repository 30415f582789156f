import numpy as np

from predictors.tools import Tool, ToolRegistry, ToolUsage
from predictors.tools.evidence import Evidence, QueryBatch

from .toys import WEATHER_AND_MONEY, CountedWords, past_use


class CountingEncoder(CountedWords):
    def __init__(self) -> None:
        self.seen: list[str] = []

    def encode(self, texts):
        self.seen += texts
        return super().encode(texts)


def test_the_first_clause_of_a_request_is_the_whole_of_it() -> None:
    batch = QueryBatch.read(["rain", "play a song now, then book a hotel room"], CountedWords())
    assert batch.starts.tolist() == [0, 1, 4]
    assert np.array_equal(batch.vectors[1], batch.clause_vectors[1])
    assert batch.subset(np.array([1])).starts.tolist() == [0, 3]


def test_counts_say_how_many_requests_used_a_tool() -> None:
    assert Evidence.gather(WEATHER_AND_MONEY, past_use(), CountedWords()).counts.tolist() == [2, 1, 1, 1]


def test_a_changed_registry_encodes_only_what_is_new() -> None:
    encoder = CountingEncoder()
    evidence = Evidence.gather(WEATHER_AND_MONEY, past_use(), encoder)
    encoder.seen.clear()
    alarm = Tool(tool_id="alarm", name="alarm", description="Wake.")
    changed = evidence.with_registry(WEATHER_AND_MONEY.with_tools([alarm]))
    assert encoder.seen == ["alarm: Wake."]
    fresh = Evidence.gather(changed.registry, past_use(), CountedWords())
    assert np.array_equal(changed.tool_vectors, fresh.tool_vectors)


def test_usage_of_a_removed_tool_is_forgotten() -> None:
    evidence = Evidence.gather(WEATHER_AND_MONEY, past_use(), CountedWords())
    smaller = evidence.with_registry(WEATHER_AND_MONEY.without(["weather"]))
    assert len(smaller.past) == 3
    assert smaller.usage == ToolUsage.of(past_use().queries[2:], past_use().tool_ids[2:])


def test_requests_that_were_never_made_leave_the_tools_as_they_are() -> None:
    encoder = CountingEncoder()
    evidence = Evidence.gather(WEATHER_AND_MONEY, past_use(), encoder)
    encoder.seen.clear()
    less = evidence.without(np.array([0, 2]))
    assert encoder.seen == []
    assert less.counts.tolist() == [1, 0, 1, 1]
    fresh = Evidence.gather(WEATHER_AND_MONEY, past_use().subset([1, 3, 4]), CountedWords())
    assert less.past.words == fresh.past.words
    assert np.array_equal(less.past.clause_vectors, fresh.past.clause_vectors)


def test_use_is_even_where_counts_vary_less_than_chance_would_have_it() -> None:
    even = ToolUsage.of(["a", "b", "c", "d"], [["weather"], ["convert"], ["flight"], ["mystery"]])
    skewed = ToolUsage.of(["a", "b", "c", "d"], [["weather"]] * 4)
    assert Evidence.gather(WEATHER_AND_MONEY, even, CountedWords()).is_even
    assert not Evidence.gather(WEATHER_AND_MONEY, skewed, CountedWords()).is_even  # variance 3, mean 1
    assert not Evidence.gather(WEATHER_AND_MONEY, ToolUsage(), CountedWords()).is_even


def test_tools_that_share_the_highest_count_were_cut_off_there_and_are_level() -> None:
    registry = ToolRegistry(tools=tuple(Tool(tool_id=f"t{i}", name=f"t{i}") for i in range(60)))
    used = [[f"t{i}"] for _ in range(9) for i in range(6)] + [[f"t{i}"] for i in range(6, 60)]
    evidence = Evidence.gather(registry, ToolUsage.of([f"r{i}" for i in range(len(used))], used), CountedWords())
    assert not evidence.is_even  # six tools with nine uses, fifty-four with one
    assert evidence.levelled.tolist() == [True] * 6 + [False] * 54
    assert evidence.labelled_until[:6].tolist() == [48, 49, 50, 51, 52, 53]  # the ninth use of each
    assert (evidence.labelled_until[6:] == len(used)).all()


def test_a_lone_favourite_was_not_cut_off() -> None:
    evidence = Evidence.gather(
        WEATHER_AND_MONEY, ToolUsage.of(["a", "b", "c"], [["weather"], ["weather"], ["flight"]]), CountedWords()
    )
    assert (evidence.labelled_until == 3).all()
