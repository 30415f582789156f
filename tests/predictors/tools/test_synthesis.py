import json

import numpy as np
import pytest

from predictors.tools import InvalidToolError, Tool, ToolRegistry, ToolUsage, build_retriever
from predictors.tools.synthesis import SynthesisTally, SyntheticRequest, synthesize, usage_of

from .toys import WEATHER_AND_MONEY, CountedWords

EXAMPLES = [("do I need an umbrella in Bern", ["getWeather"])]


class Scripted:
    """A language model that writes what it is told to, and rewrites by saying please."""

    def __init__(self, *answers: str) -> None:
        self.answers, self.prompts = list(answers), []

    def __call__(self, prompt: str) -> str:
        self.prompts.append(prompt)
        if prompt.startswith("Rewrite"):
            return f"please {prompt.split('Request: ')[1].split(chr(10), maxsplit=1)[0]}"
        return self.answers[min(len(self.prompts) // 2, len(self.answers) - 1)]


def wrote(request: str, *tools: str) -> str:
    return f"Sure: {json.dumps({'tools': list(tools), 'request': request})} Done."


def made(chat: Scripted, *, max_calls: int = 2, **options) -> list[SyntheticRequest]:
    rng = np.random.default_rng(0)
    return list(
        synthesize(WEATHER_AND_MONEY, chat, model="m", examples=EXAMPLES, rng=rng, max_calls=max_calls, **options)
    )


def test_a_request_is_written_rewritten_and_keeps_its_provenance() -> None:
    (request,) = made(Scripted(wrote("rain in Bern", "getWeather")))
    assert request.query == "please rain in Bern"
    assert request.tool_ids == ("weather",)
    assert (request.model, request.recipe) == ("m", "toolbank-1")
    assert request.registry_digest == WEATHER_AND_MONEY.digest
    assert usage_of([request]) == ToolUsage.of(["please rain in Bern"], [["weather"]])


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("I cannot do that.", "unreadable"),
        ('{"tools": [], "request": "x"}', "unreadable"),
        (wrote("anything", "noSuchTool"), "unknown_tool"),
        (wrote("call convert_currency now", "convert_currency"), "names_a_tool"),
    ],
)
def test_what_cannot_be_used_is_dropped_and_counted(answer: str, reason: str) -> None:
    tally = SynthesisTally()
    assert made(Scripted(answer), tally=tally) == []
    assert getattr(tally, reason) >= 1
    assert tally.kept == 0


def test_the_budget_is_never_exceeded() -> None:
    chat = Scripted(wrote("rain", "getWeather"))
    assert len(made(chat, max_calls=7)) == 3
    assert len(chat.prompts) == 6


def test_a_request_that_does_not_lead_back_to_its_tools_is_dropped() -> None:
    check = build_retriever("bm25", CountedWords()).fit(WEATHER_AND_MONEY, ToolUsage())
    tally = SynthesisTally()
    chat = Scripted(wrote("forecast for my city", "getWeather"), wrote("convert my dollar", "getWeather"))
    kept = made(chat, max_calls=4, check=check, check_depth=1, tally=tally)
    assert [request.query for request in kept] == ["please forecast for my city"]
    assert tally.not_found_again == 1


def test_tools_that_have_requests_already_are_offered_after_those_that_have_none() -> None:
    registry = ToolRegistry(tools=tuple(Tool(tool_id=n, name=f"{n}_1") for n in "abcd"))
    already = [SyntheticRequest(query="q", tool_ids=("a", "b", "c"), model="m", recipe="r", registry_digest="d")]
    chat = Scripted("nothing")
    list(
        synthesize(
            registry,
            chat,
            model="m",
            examples=[],
            rng=np.random.default_rng(1),
            max_calls=10,
            already=already,
            n_offered=2,
        )
    )
    assert all("d_1" in prompt for prompt in chat.prompts)


def test_one_tool_is_nothing_to_choose_from() -> None:
    lonely = ToolRegistry(tools=(Tool(tool_id="a", name="a"),))
    with pytest.raises(InvalidToolError, match="two are needed"):
        next(synthesize(lonely, str, model="m", examples=[], rng=np.random.default_rng(0), max_calls=2))


def test_a_small_model_is_shown_one_tool_after_examples_that_stand_as_earlier_turns() -> None:
    asked: list[str] = []

    def chat(prompt: str, earlier=()) -> str:
        asked.append(prompt)
        assert list(earlier) == [(said_of("weather"), "do I need an umbrella in Bern")]
        return '"Will it rain?"\nAnd more.'

    options = {"examples": EXAMPLES, "rng": np.random.default_rng(0), "max_calls": 4, "recipe": "single-2"}
    found = list(synthesize(WEATHER_AND_MONEY, chat, model="m", **options))
    assert [made.query for made in found] == ["Will it rain?"] * 4
    assert sorted(made.tool_ids for made in found) == [("convert",), ("flight",), ("mystery",), ("weather",)]
    assert asked == [said_of(made.tool_ids[0]) for made in found]
    assert {made.recipe for made in found} == {"single-2"}


def said_of(tool_id: str) -> str:
    tool = next(tool for tool in WEATHER_AND_MONEY if tool.tool_id == tool_id)
    return f"{tool.name}: {tool.description}"


def test_a_model_that_says_nothing_is_counted() -> None:
    tally = SynthesisTally()
    options = {"examples": EXAMPLES, "rng": np.random.default_rng(0), "max_calls": 2, "recipe": "single-2"}
    assert list(synthesize(WEATHER_AND_MONEY, lambda *_: "  ", model="m", tally=tally, **options)) == []
    assert (tally.calls, tally.unreadable) == (2, 2)


def test_an_unknown_recipe_names_those_there_are() -> None:
    with pytest.raises(InvalidToolError, match="toolbank-1, single-2"):
        made(Scripted("x"), recipe="soup")
