import numpy as np
import pytest

from predictors.tools import Tool, ToolRegistry, ToolUsage
from predictors.tools.channels.dense import DenseDescriptions
from predictors.tools.channels.mapped import MappedDescriptions
from predictors.tools.evidence import Evidence, QueryBatch
from tests.predictors.tools.toys import CountedWords

NOUNS = ("rain", "weather", "temperature", "forecast", "currency", "dollar", "euro", "flight", "hotel", "song", "alarm")


def requests_in_other_words(n_used: int) -> Evidence:
    """Tools convert things; users exchange them, in a city, itself a tool. The last tools nobody has used."""
    tools = [Tool(tool_id=noun, name=noun, description=f"convert {noun}") for noun in NOUNS]
    city = Tool(tool_id="city", name="city", description="city")
    used = [noun for noun in NOUNS[:n_used] for _ in range(4)]
    usage = ToolUsage.of([f"exchange {noun} city" for noun in used], [[noun] for noun in used])
    return Evidence.gather(ToolRegistry(tools=(*tools, city)), usage, CountedWords())


def test_what_users_call_a_thing_is_learned_for_tools_that_nobody_used() -> None:
    evidence = requests_in_other_words(n_used=9)
    asked = QueryBatch.read(["exchange song city"], CountedWords())
    described = DenseDescriptions().learn(evidence).score(asked)[0, 0]
    mapped = MappedDescriptions().learn(evidence).score(asked)[0, 0]
    song, city = evidence.registry.row("song"), evidence.registry.row("city")
    assert described[city] == pytest.approx(1 / np.sqrt(3), abs=0.01)  # one word of three, and nothing else
    assert described[city] > described[song]
    assert mapped[song] > 2 * mapped[city]
    assert mapped.argmax() == song


def test_without_use_a_request_is_what_it_says() -> None:
    evidence = requests_in_other_words(n_used=0)
    asked = QueryBatch.read(["exchange the song, then convert an alarm"], CountedWords())
    assert MappedDescriptions().learn(evidence).score(asked) == pytest.approx(
        DenseDescriptions().learn(evidence).score(asked), abs=1e-6
    )


def test_a_past_request_is_scored_by_maps_that_its_fold_did_not_teach() -> None:
    evidence = requests_in_other_words(n_used=9)
    scored = MappedDescriptions().learn(evidence).score_past(np.arange(len(evidence.past)))
    for fold in range(8):
        held = np.arange(fold, len(evidence.past), 8)
        others = evidence.usage.subset(np.setdiff1d(np.arange(len(evidence.past)), held))
        without = MappedDescriptions().learn(Evidence.gather(evidence.registry, others, CountedWords()))
        assert scored[:, held] == pytest.approx(without.score(evidence.past.subset(held)), abs=1e-5)


def test_a_tool_that_is_added_is_scored_by_the_maps_there_are() -> None:
    evidence = requests_in_other_words(n_used=9)
    channel = MappedDescriptions().learn(evidence)
    maps = channel.maps_
    more = evidence.with_registry(
        evidence.registry.with_tools([Tool(tool_id="music", name="music", description="convert music")])
    )
    asked = QueryBatch.read(["exchange music city"], CountedWords())
    scores = channel.update(more).score(asked)[0, 0]
    assert channel.maps_ is maps
    assert scores.argmax() == more.registry.row("music")
