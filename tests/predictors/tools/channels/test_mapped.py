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
    as_it_is, mapped = MappedDescriptions().learn(evidence).score(asked)[:, 0]
    assert as_it_is == pytest.approx(described, abs=1e-6)
    song, city = evidence.registry.row("song"), evidence.registry.row("city")
    assert described[city] == pytest.approx(1 / np.sqrt(3), abs=0.01)  # one word of three, and nothing else
    assert described[city] > described[song]
    assert mapped[song] > 2 * mapped[city]
    assert mapped.argmax() == song


def test_without_use_a_request_is_what_it_says() -> None:
    evidence = requests_in_other_words(n_used=0)
    asked = QueryBatch.read(["exchange the song, then convert an alarm"], CountedWords())
    whole, clause = DenseDescriptions().learn(evidence).score(asked)
    channel = MappedDescriptions().learn(evidence)
    assert channel.score(asked) == pytest.approx(np.stack([whole, whole]), abs=1e-6)
    candidates = np.array([[4, 9]])
    assert channel.score_candidates(asked, candidates) == pytest.approx(
        np.stack([clause[:, [4, 9]], clause[:, [4, 9]]]), abs=1e-6
    )


def test_a_candidate_is_judged_by_the_clause_that_suits_it_best() -> None:
    evidence = requests_in_other_words(n_used=9)
    asked = QueryBatch.read(["play me the song, then convert an alarm clock", "exchange euro city"], CountedWords())
    channel = MappedDescriptions().learn(evidence)
    candidates = np.array([[9, 10], [6, 11]])  # song and alarm; euro and city
    found = channel.score_candidates(asked, candidates)  # (2, n_queries, n_candidates)
    descriptions = evidence.tool_vectors
    for row, (first, end) in enumerate([(0, 3), (3, 4)]):  # the whole and two clauses; the whole alone
        said = asked.clause_vectors[first:end]
        expected = descriptions[candidates[row]] @ said.T, descriptions[candidates[row]] @ (said @ channel.maps_[1]).T
        assert found[:, row] == pytest.approx(np.stack([scores.max(axis=1) for scores in expected]), abs=1e-5)


def test_a_past_request_is_scored_by_maps_that_its_fold_did_not_teach() -> None:
    evidence = requests_in_other_words(n_used=9)
    channel = MappedDescriptions().learn(evidence)
    rows = np.arange(len(evidence.past))
    candidates = np.tile([3, 8, 11], (len(rows), 1))
    scored = np.concatenate(
        [channel.score_past(rows)[:, :, [3, 8, 11]], channel.score_past_candidates(rows, candidates)]
    )
    for fold in range(8):
        held = np.arange(fold, len(evidence.past), 8)
        others = evidence.usage.subset(np.setdiff1d(rows, held))
        without = MappedDescriptions().learn(Evidence.gather(evidence.registry, others, CountedWords()))
        asked = evidence.past.subset(held)
        expected = np.concatenate(
            [without.score(asked)[:, :, [3, 8, 11]], without.score_candidates(asked, candidates[held])]
        )
        assert scored[:, held] == pytest.approx(expected, abs=1e-5)


def test_a_tool_that_is_added_is_scored_by_the_maps_there_are() -> None:
    evidence = requests_in_other_words(n_used=9)
    channel = MappedDescriptions().learn(evidence)
    maps = channel.maps_
    more = evidence.with_registry(
        evidence.registry.with_tools([Tool(tool_id="music", name="music", description="convert music")])
    )
    asked = QueryBatch.read(["exchange music city"], CountedWords())
    scores = channel.update(more).score(asked)[1, 0]
    assert channel.maps_ is maps
    assert scores.argmax() == more.registry.row("music")
