import asyncio
import gc
import threading
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest

import gateway.tools.indexes.sources
from gateway.dispatch import Clocks
from gateway.errors import ForbiddenError, InvalidRequestError, OverloadedError
from gateway.keys import ApiKey
from gateway.settings import ToolSettings
from gateway.telemetry import Telemetry
from gateway.tools import Prepared, RegistryStore, StoredTool, ToolDesk
from gateway.tools.errors import UnknownRegistryError
from gateway.tools.selection.found import ToolsFound
from gateway.wire.body import read_chat
from gateway.wire.responses.request import read_responses
from predictors.tools import StackedRetriever, UsageStatistics
from router import InvalidRoutingError, SessionState, read_options
from tests.waiting import AT_MOST_S

from .offers import function, functions, history


def desk(tmp_path: Path, **settings: Any) -> ToolDesk:
    return ToolDesk(
        ToolSettings(**{"top_k": 3, "deadline_ms": 60_000, **settings}),
        store=RegistryStore(tmp_path / "registries"),
        telemetry=Telemetry(),
        clocks=Clocks(wall=lambda: 0.0, monotonic=lambda: 0.0),
    )


async def prepare(
    at: ToolDesk, *, key: ApiKey | None = None, session: SessionState | None = None, **body: Any
) -> Prepared:
    asked = {"model": "auto", "messages": history("What is the weather in Paris?"), "tools": functions(), **body}
    request = read_chat(orjson.dumps(asked))
    reading = read_options(model=request.model, body=request.body, headers={})
    return await at.prepare(request, reading, key=key, session=session)


def names(prepared: Prepared) -> list[str]:
    tools: list[Mapping[str, Any]] = prepared.request.body.get("tools", [])
    return [tool["function"]["name"] for tool in tools]


def a_key(**more: Any) -> ApiKey:
    return ApiKey(key_id="k", tenant="t", salt="00", digest="00", created_s=0.0, **more)


async def test_forty_tools_are_cut_to_the_three_that_rank_best(tmp_path: Path) -> None:
    prepared = await prepare(desk(tmp_path))
    assert "weather_tool" in names(prepared)
    assert prepared.trail is not None
    assert prepared.trail.summary == "40->3"
    assert orjson.loads(prepared.request.raw)["tools"] == prepared.request.body["tools"]


async def test_an_offer_at_the_threshold_is_sent_byte_for_byte(tmp_path: Path) -> None:
    prepared = await prepare(desk(tmp_path), tools=functions(20))
    assert len(names(prepared)) == 20
    assert prepared.trail is not None
    assert prepared.trail.how == "whole"


async def test_a_request_that_says_how_many_is_cut_below_the_threshold(tmp_path: Path) -> None:
    prepared = await prepare(desk(tmp_path), tools=functions(5), routing={"tools": {"top_k": 1}})
    assert names(prepared) == ["weather_tool"]


async def test_a_request_may_decline(tmp_path: Path) -> None:
    prepared = await prepare(desk(tmp_path), routing={"tools": {"select": "off"}})
    assert len(names(prepared)) == 40


async def test_forced_called_unreadable_and_chosen_tools_are_never_dropped(tmp_path: Path) -> None:
    called = {"id": "c1", "type": "function", "function": {"name": "tax_tool", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "What is the weather?"},
        {"role": "assistant", "content": None, "tool_calls": [called]},
        {"role": "tool", "tool_call_id": "c1", "content": "none"},
    ]
    builtin = {"type": "web_search"}
    prepared = await prepare(
        desk(tmp_path, always=("exam_tool",)),
        messages=messages,
        tools=[*functions(), builtin],
        tool_choice={"type": "function", "function": {"name": "router_tool"}},
    )
    kept = prepared.request.body["tools"]
    assert builtin in kept
    assert {"tax_tool", "exam_tool", "router_tool"} <= {t["function"]["name"] for t in kept if "function" in t}


async def test_tools_that_the_instructions_name_are_never_dropped(tmp_path: Path) -> None:
    """Of the 24 that Claude Code brings, those that read and write files were dropped, which its instructions name."""
    told = "Use `tax_tool`, not exam_tool, for taxes; then router_tool. A gym_tool_2 or my-museum_tool is not yours."
    messages = [{"role": "system", "content": told}, *history("What is the weather in Paris?")]
    sent = names(await prepare(desk(tmp_path), messages=messages))
    assert {"tax_tool", "exam_tool", "router_tool"} == set(sent[:3])
    assert "weather_tool" in sent[3:]
    assert len(sent) == 6
    assert not {"gym_tool", "museum_tool"} & set(sent)


async def test_a_turn_is_sent_the_same_tools_for_all_of_its_calls(tmp_path: Path) -> None:
    """Each round of an agent brought the next best ones: the list grew, and prompt caches lost their beginning."""
    at, messages = desk(tmp_path), history("What is the weather in Paris?")
    sent = names(await prepare(at, messages=messages))
    for name in (sent[0], "exam_tool"):
        call = {"id": "c", "type": "function", "function": {"name": name, "arguments": "{}"}}
        messages += [
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": "9:05"},
        ]
        session = SessionState(backend_id="b", tools=tuple(sent))
        later = names(await prepare(at, messages=messages, session=session))
        assert later == list(dict.fromkeys([*sent, name]))
        assert later == names(await prepare(at, messages=messages))  # another replica
        sent = later


async def test_a_picture_that_a_tool_shows_asks_for_nothing(tmp_path: Path) -> None:
    """It is the user who shows it, as chat wants it, and each brought tools that fit its caption."""
    picture = {"type": "input_image", "image_url": "https://example.org/a.png"}
    asked: list[Any] = [{"role": "user", "content": "What is the weather in Paris?"}]
    called = {"type": "function_call", "call_id": "c", "name": "weather_tool", "arguments": "{}"}
    shown = {"type": "function_call_output", "call_id": "c", "output": [picture]}
    tools = [{"type": "function", **tool["function"]} for tool in functions()]

    async def sent(given: list[Any]) -> list[str]:
        request = read_responses(orjson.dumps({"model": "auto", "input": given, "tools": tools}))
        reading = read_options(model=request.model, body=request.body, headers={})
        return names(await desk(tmp_path).prepare(request, reading, key=None))

    assert await sent([*asked, called, shown]) == await sent(asked)


async def test_tools_are_left_alone_where_none_may_be_called(tmp_path: Path) -> None:
    assert len(names(await prepare(desk(tmp_path), tool_choice="none"))) == 40


async def test_each_turn_sends_the_tools_of_the_turn_before_and_then_more(tmp_path: Path) -> None:
    at = desk(tmp_path)
    said = [
        "What is the weather in Paris?",
        "Sunny.",
        "And which train goes there?",
        "The 9:05.",
        "Book a museum visit",
    ]
    lists = [names(await prepare(at, messages=history(*said[:n]))) for n in (1, 3, 5)]
    for earlier, later in pairwise(lists):
        assert later[: len(earlier)] == earlier
        assert len(later) > len(earlier)
    assert "train_tool" in lists[1]
    assert "museum_tool" in lists[2]


async def test_another_replica_without_the_session_sends_the_same_list(tmp_path: Path) -> None:
    messages = history("What is the weather in Paris?", "Sunny.", "And which train goes there?")
    first, second = [await prepare(desk(tmp_path), messages=messages) for _ in range(2)]
    assert names(first) == names(second)


async def test_a_remembered_list_is_kept_in_its_order(tmp_path: Path) -> None:
    session = SessionState(backend_id="b", tools=("gym_tool", "exam_tool"))
    messages = history("Hello", "Hi", "Which train goes to Rome?")
    sent = names(await prepare(desk(tmp_path), messages=messages, session=session))
    assert sent[:2] == ["gym_tool", "exam_tool"]
    assert "train_tool" in sent[2:]


async def test_a_first_turn_forgets_what_another_conversation_was_sent(tmp_path: Path) -> None:
    session = SessionState(backend_id="b", tools=("gym_tool",))
    assert len(names(await prepare(desk(tmp_path), session=session))) == 3


async def test_a_budget_of_tokens_leaves_out_what_does_not_fit(tmp_path: Path) -> None:
    one = await prepare(desk(tmp_path), routing={"tools": {"top_k": 10, "max_tokens": 60}})
    assert 1 <= len(names(one)) < 10


async def test_a_key_never_sends_a_tool_it_may_not_use(tmp_path: Path) -> None:
    prepared = await prepare(desk(tmp_path), key=a_key(tools_deny=("weather_*",)), tools=functions(3))
    assert names(prepared) == ["currency_tool", "calendar_tool"]
    assert prepared.trail is not None
    assert prepared.trail.summary == "3->2"


async def test_a_key_that_forces_a_tool_it_may_not_use_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ForbiddenError, match="weather_tool"):
        await prepare(
            desk(tmp_path),
            key=a_key(tools_allow=("tax_*",)),
            tool_choice={"type": "function", "function": {"name": "weather_tool"}},
        )


async def test_no_name_or_place_brings_in_a_tool_that_the_key_may_not_use(tmp_path: Path) -> None:
    key = a_key(tools_deny=("tax_*",))
    twice = await prepare(desk(tmp_path), key=key, tools=[function("#2"), function("tax_tool"), function("tax_tool")])
    assert names(twice) == ["#2"]
    posing = {"type": "custom", "function": {"name": "fine"}, "custom": {"name": "tax_tool"}}
    assert "tools" not in (await prepare(desk(tmp_path), key=key, tools=[posing])).request.body
    with pytest.raises(InvalidRequestError, match="tools"):
        await prepare(desk(tmp_path), key=key, tools=[None, function("tax_tool")])


async def test_a_declaration_that_is_called_like_a_place_replaces_no_other(tmp_path: Path) -> None:
    prepared = await prepare(desk(tmp_path), tools=[function("#1"), {"type": "function"}, *functions(2)])
    assert len(prepared.request.body["tools"]) == 4


async def test_custom_tools_go_by_their_names(tmp_path: Path) -> None:
    custom = {"type": "custom", "custom": {"name": "patch", "description": "Changes files."}}
    allowed = await prepare(desk(tmp_path), key=a_key(tools_allow=("patch",)), tools=[custom, function("tax_tool")])
    assert allowed.request.body["tools"] == [custom]
    choice = {"type": "custom", "custom": {"name": "patch"}}
    with pytest.raises(ForbiddenError, match="patch"):
        await prepare(desk(tmp_path), key=a_key(tools_deny=("patch",)), tools=[custom], tool_choice=choice)
    forced = await prepare(desk(tmp_path), tools=[*functions(), custom], tool_choice=choice)
    assert custom in forced.request.body["tools"]
    calls = [{"id": "c1", "type": "custom", "custom": {"name": "patch", "input": "x"}}]
    messages = [*history("What is the weather?"), {"role": "assistant", "tool_calls": calls}, *history("And now?")]
    called = await prepare(desk(tmp_path), tools=[*functions(), custom], messages=messages)
    assert custom in called.request.body["tools"]


async def test_permissions_hold_for_functions_in_the_words_of_older_clients(tmp_path: Path) -> None:
    key = a_key(tools_deny=("tax_*",))
    older = [{"name": "tax_tool", "parameters": {}}, {"name": "weather_tool", "parameters": {}}]
    prepared = await prepare(desk(tmp_path), key=key, tools=[], functions=older)
    assert prepared.request.body["functions"] == older[1:]
    assert orjson.loads(prepared.request.raw)["functions"] == older[1:]
    none = await prepare(desk(tmp_path), key=key, tools=[], functions=older[:1], function_call="auto")
    assert {"functions", "function_call"}.isdisjoint(none.request.body)
    with pytest.raises(ForbiddenError, match="tax_tool"):
        await prepare(desk(tmp_path), key=key, tools=[], functions=older, function_call={"name": "tax_tool"})
    free = await prepare(desk(tmp_path), tools=[], functions=older)
    assert free.request.body["functions"] == older


async def prepare_responses(at: ToolDesk, *, key: ApiKey, **asked: Any) -> Prepared:
    request = read_responses(orjson.dumps({"model": "auto", "input": "hi", **asked}))
    return await at.prepare(request, read_options(model=request.model, body=request.body, headers={}), key=key)


@pytest.mark.parametrize(
    ("choice", "forbidden"),
    [
        ({"type": "web_search"}, "web_search"),
        ({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "web_search"}]}, "web_search"),
        (
            {
                "type": "allowed_tools",
                "mode": "auto",
                "tools": [{"type": "web_search"}, {"type": "function", "name": "wipe", "namespace": "disk"}],
            },
            "disk__wipe|web_search",
        ),
    ],
)
async def test_a_tool_of_its_provider_that_the_key_may_not_use_cannot_be_chosen(
    tmp_path: Path, choice: dict[str, Any], forbidden: str
) -> None:
    key = a_key(tools_deny=("wipe",))
    disk = {"type": "namespace", "name": "disk", "tools": [{"type": "function", "name": "wipe", "parameters": {}}]}
    tools = [{"type": "web_search"}, {"type": "function", "name": "tax_tool", "parameters": {}}, disk]
    with pytest.raises(ForbiddenError, match=forbidden):
        await prepare_responses(desk(tmp_path), key=key, tools=tools, tool_choice=choice)
    allowed = {"type": "function", "name": "tax_tool"}
    free = await prepare_responses(desk(tmp_path), key=key, tools=tools, tool_choice=allowed)
    assert names(free) == ["tax_tool"]
    chat = [{"type": "web_search"}, function("tax_tool")]
    if choice["type"] == "web_search":
        with pytest.raises(ForbiddenError, match=forbidden):
            await prepare(desk(tmp_path), key=key, tools=chat, tool_choice=choice)


async def test_a_tool_of_its_provider_without_a_name_is_allowed_by_its_kind(tmp_path: Path) -> None:
    search: Any = {"type": "web_search"}
    hidden: Any = {"type": "web_search", "tools": [{"type": "function", "name": "wipe"}]}
    tools = [search, {"type": "code_interpreter"}, hidden, {"type": "function", "name": "add", "parameters": {}}]
    key = a_key(tools_allow=("web_search", "add"))
    prepared = await prepare_responses(desk(tmp_path), key=key, tools=tools, tool_choice=search)
    assert [tool for tool in prepared.request.body["tools"] if "function" not in tool] == [search]
    for other in (a_key(tools_allow=("add",)), a_key(tools_allow=("*",), tools_deny=("web_*",))):
        with pytest.raises(ForbiddenError, match="web_search"):
            await prepare_responses(desk(tmp_path), key=other, tools=tools, tool_choice=search)


@pytest.mark.parametrize("name", ["delete_all", "ns__delete_all", "mcp__disk__delete_all", "ns___delete_all"])
async def test_a_denied_name_is_denied_behind_a_namespace_too(tmp_path: Path, name: str) -> None:
    key = a_key(tools_deny=("delete_*", "_delete_*"))
    prepared = await prepare(desk(tmp_path), key=key, tools=[function(name), function("undelete_all")])
    assert names(prepared) == ["undelete_all"]
    space = {"type": "namespace", "name": "ns", "tools": [{"type": "function", "name": name, "parameters": {}}]}
    assert "tools" not in (await prepare_responses(desk(tmp_path), key=key, tools=[space])).request.body


async def test_an_allowed_name_is_the_whole_one(tmp_path: Path) -> None:
    offered = [function("read_all"), function("ns__read_all")]
    bare = await prepare(desk(tmp_path), key=a_key(tools_allow=("read_*",)), tools=offered)
    whole = await prepare(desk(tmp_path), key=a_key(tools_allow=("ns__*",)), tools=offered)
    assert (names(bare), names(whole)) == (["read_all"], ["ns__read_all"])


@pytest.mark.parametrize("kind", ["additional_tools", "tool_search_output"])
async def test_a_conversation_that_only_its_provider_reads_brings_no_forbidden_tool(tmp_path: Path, kind: str) -> None:
    item = {"type": kind, "call_id": "c", "tools": [{"type": "function", "name": "tax_tool", "parameters": {}}]}
    asked = {"model": "auto", "input": [{"role": "user", "content": "hi"}, item], "tools": [{"type": "web_search"}]}
    request = read_responses(orjson.dumps(asked))
    reading = read_options(model=request.model, body=request.body, headers={})
    with pytest.raises(ForbiddenError, match="tax_tool"):
        await desk(tmp_path).prepare(request, reading, key=a_key(tools_deny=("tax_*",)))
    free = await desk(tmp_path).prepare(request, reading, key=a_key(tools_deny=("exam_*",)))
    assert "tax_tool" in str(free.request.body["tools"])


async def test_permissions_and_trust_hold_where_the_model_searches_itself(tmp_path: Path) -> None:
    at = desk(tmp_path, native_search=("maker/searcher",), max_agent_risk=0.2, risk={"exam_tool": "destroys"})
    search, exam = {"type": "tool_search"}, {**function("exam_tool"), "defer_loading": True}
    tools = [search, {**function("tax_tool"), "defer_loading": True}, function("weather_tool"), exam]
    prepared = await prepare(at, model="maker/searcher", key=a_key(tools_deny=("tax_*",)), tools=tools)
    assert prepared.request.body["tools"] == [search, tools[2], exam]
    assert prepared.reading.options.require.max_agent_risk == 0.2
    free = await prepare(at, model="maker/searcher", tools=tools)
    assert free.request.body["tools"] == tools


@pytest.mark.parametrize(
    "choice",
    [
        {"type": "function", "function": {"name": "tax_tool"}},
        {"type": "function", "name": "tax_tool"},
        {"type": "tool", "name": "tax_tool"},
        {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "tax_tool"}]},
        {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [function("tax_tool")]}},
    ],
)
async def test_a_tool_is_kept_in_whatever_words_it_is_chosen(tmp_path: Path, choice: dict[str, Any]) -> None:
    assert "tax_tool" in names(await prepare(desk(tmp_path), tool_choice=choice))


@pytest.mark.parametrize("allowed", [5, "tax_tool", [3], None, {"tools": 5}])
async def test_a_choice_that_cannot_be_read_is_the_backends_to_judge(tmp_path: Path, allowed: object) -> None:
    choice = {"type": "allowed_tools", "allowed_tools": {"tools": allowed}}
    assert len(names(await prepare(desk(tmp_path), tool_choice=choice))) == 3


async def test_a_call_that_must_be_made_can_be_made(tmp_path: Path) -> None:
    wish = {"tools": {"min_score": 0.99}}
    prepared = await prepare(desk(tmp_path), tool_choice="required", routing=wish)
    assert names(prepared) == ["weather_tool"]
    assert prepared.request.body["tool_choice"] == "required"
    assert names(await prepare(desk(tmp_path), routing=wish)) == []


async def test_every_offer_is_counted_by_what_was_done_about_it(tmp_path: Path) -> None:
    at = desk(tmp_path)
    await prepare(at)
    await prepare(at, tools=functions(20))
    await prepare(at, tools=[{**tool, "defer_loading": True} for tool in functions()])
    counted = {how: at.metrics._selections.labels(how)._value.get() for how in ("cut", "whole", "deferred")}
    assert counted == {"cut": 1, "whole": 1, "deferred": 1}


async def test_a_key_may_bring_the_search_that_its_client_makes_and_no_other_tool_by_that_mark(tmp_path: Path) -> None:
    marked = [{**function(name), "execution": "client"} for name in ("tool_search", "weather_tool")]
    prepared = await prepare(desk(tmp_path), key=a_key(tools_allow=("tax_*",)), tools=[*marked, function("tax_tool")])
    assert names(prepared) == ["tool_search", "tax_tool"]
    denied = await prepare(desk(tmp_path), key=a_key(tools_deny=("tool_*",)), tools=[*marked, function("tax_tool")])
    assert names(denied) == ["weather_tool", "tax_tool"]


async def test_a_key_has_defaults_of_its_own(tmp_path: Path) -> None:
    assert len(names(await prepare(desk(tmp_path), key=a_key(tools_top_k=5)))) == 5
    assert len(names(await prepare(desk(tmp_path), key=a_key(tools_select="off")))) == 40


async def test_whatever_goes_wrong_with_the_choice_all_tools_are_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = desk(tmp_path)

    def broken(*_: object) -> None:
        raise RuntimeError("no memory left")

    monkeypatch.setattr(at.shelf, "fit", broken)
    prepared = await prepare(at)
    assert len(names(prepared)) == 40
    assert prepared.trail is not None
    assert (prepared.trail.how, prepared.trail.summary) == ("failed_open", "40->40")


@pytest.mark.parametrize("problem", ["it is slow", "it breaks"])
async def test_a_registry_that_a_request_only_names_is_not_sent_whole_beyond_what_providers_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: str
) -> None:
    at = desk(tmp_path, deadline_ms=10)
    for name, size in (("small", 128), ("large", 129)):
        at.store.save(name, [StoredTool(name=f"tool_{n}") for n in range(size)], source="api", now_s=0.0)
    monkeypatch.setattr(gateway.tools.indexes.sources, "_SEARCH_WAITS_S", 0.01)

    async def index(*_: object) -> None:
        if problem == "it breaks":
            raise RuntimeError("no memory left")
        await asyncio.sleep(60)

    monkeypatch.setattr(at.shelf, "index", index)
    small = await prepare(at, tools=[], routing={"tools": {"set": "small"}})
    assert len(names(small)) == 128
    with pytest.raises(OverloadedError, match="not ready yet" if problem == "it is slow" else "cannot be used now"):
        await prepare(at, tools=[], routing={"tools": {"set": "large"}})
    brought = await prepare(at, tools=[function(f"tool_{n}") for n in range(129)], routing={"tools": {"set": "large"}})
    assert len(names(brought)) == 129


async def test_the_index_over_equal_tools_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = desk(tmp_path)
    made: list[int] = []
    fit = at.shelf.fit
    monkeypatch.setattr(at.shelf, "fit", lambda *given: (made.append(1), fit(*given))[1])
    for tools in (functions(), functions()[::-1]):
        await prepare(at, tools=tools)
    assert len(made) == 1


async def test_a_request_without_tools_may_name_a_registry(tmp_path: Path) -> None:
    at = desk(tmp_path)
    tools = [StoredTool(name=t["function"]["name"], description=t["function"]["description"]) for t in functions()]
    at.store.save("office", tools, source="test", now_s=0.0)
    prepared = await prepare(at, tools=[], routing={"tools": {"set": "office@1", "top_k": 2}})
    assert "weather_tool" in names(prepared)
    assert prepared.trail is not None
    assert (prepared.trail.summary, prepared.trail.registry) == ("40->2", "office@1")


async def test_a_tool_that_the_named_registry_does_not_know_is_sent(tmp_path: Path) -> None:
    at = desk(tmp_path)
    tools = [StoredTool(name=t["function"]["name"], description=t["function"]["description"]) for t in functions()]
    at.store.save("office", tools, source="test", now_s=0.0)
    prepared = await prepare(
        at, tools=[*functions(30), function("stranger")], routing={"tools": {"set": "office", "top_k": 2}}
    )
    assert "stranger" in names(prepared)
    assert len(names(prepared)) == 3


async def test_a_registry_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnknownRegistryError, match="nowhere"):
        await prepare(desk(tmp_path), routing={"tools": {"set": "nowhere"}})


async def test_an_unknown_wish_about_tools_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRoutingError, match="topk"):
        await prepare(desk(tmp_path), routing={"tools": {"topk": 3}})


async def test_calls_whose_results_come_back_are_noted_and_taken_up_by_the_index(tmp_path: Path) -> None:
    at = desk(tmp_path, top_k=1)
    tools = [StoredTool(name=t["function"]["name"], description=t["function"]["description"]) for t in functions()]
    stored = at.store.save("office", tools, source="test", now_s=0.0)
    question = "Is it going to be nice outside?"
    called = {"id": "c1", "type": "function", "function": {"name": "garden_tool", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": question},
        {"role": "assistant", "content": None, "tool_calls": [called]},
        {"role": "tool", "tool_call_id": "c1", "content": "yes"},
    ]
    named = {"tools": {"set": "office"}}
    noted = await prepare(at, messages=messages, routing=named)
    assert noted.trail is not None
    assert noted.trail.observed == [{"tool": "garden_tool", "ok": True}]
    before = await at.search(question, label="office", key=None, top_k=40)
    learned = UsageStatistics(dim=at.shelf.encoder.dim, half_life_s=1e9)
    for _ in range(20):
        learned.observe("garden_tool", at.shelf.encoder.encode([question])[0], replica="r", at_s=0.0)
    await at.indexes.take_up(stored, learned)
    after = await at.search(question, label="office", key=None, top_k=40)

    def place(found: ToolsFound) -> int:
        return [tool["name"] for tool in found.tools].index("garden_tool")

    assert place(after) <= place(before)
    assert place(after) == 0
    more = [*tools, StoredTool(name="boat_tool", description="Answers questions about a boat.")]
    at.store.save("office", more, source="test", now_s=0.0)
    for version in ("office@2", "office@1"):  # what was learned of a tool holds in every version that has it
        assert place(await at.search(question, label=version, key=None, top_k=40)) == 0
    await at.indexes.take_up(at.store.load("office"), UsageStatistics(dim=learned.dim, half_life_s=1e9))
    for version in ("office@2", "office@1"):
        assert place(await at.search(question, label=version, key=None, top_k=40)) == place(before)


async def test_calls_of_deferred_tools_are_noted_too(tmp_path: Path) -> None:
    at = desk(tmp_path)
    tools = [StoredTool(name=t["function"]["name"], description=t["function"]["description"]) for t in functions()]
    at.store.save("office", tools, source="test", now_s=0.0)
    called = {"id": "c1", "type": "function", "function": {"name": "garden_tool", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "Is it nice outside?"},
        {"role": "assistant", "content": None, "tool_calls": [called]},
        {"role": "tool", "tool_call_id": "c1", "content": "yes"},
    ]
    deferred = [{**tool, "defer_loading": True} for tool in functions()]
    noted = await prepare(at, messages=messages, tools=deferred, routing={"tools": {"set": "office"}})
    assert noted.trail is not None
    assert noted.trail.how == "deferred"
    assert noted.trail.observed == [{"tool": "garden_tool", "ok": True}]


@pytest.mark.parametrize("known", ["weather_tool", "elsewhere"])
async def test_deferred_tools_that_the_registry_does_not_know_are_searched_as_well(tmp_path: Path, known: str) -> None:
    """All of them were loaded: unknown tools are never dropped, but these stay out until they are found."""
    at = desk(tmp_path, search_limit=2)
    at.store.save("office", [StoredTool(name=known, description="The sky."), StoredTool(name="b")], source="t", now_s=0)
    deferred = [{**tool, "defer_loading": True} for tool in functions()]
    messages = history("Will there be tennis, whatever the sky?")
    found = await prepare(at, messages=messages, tools=deferred, routing={"tools": {"set": "office"}})
    assert len(names(found)) == 2
    assert "tennis_tool" in names(found)
    assert ("weather_tool" in names(found)) == (known == "weather_tool")


async def test_a_registry_that_the_deployment_names_but_does_not_have_refuses_nobody(tmp_path: Path) -> None:
    assert "weather_tool" in names(await prepare(desk(tmp_path, set="nowhere")))


async def test_a_registry_that_is_ready_keeps_no_request_waiting_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = desk(tmp_path)
    tools = [StoredTool(name=f"tool_{n}", description=f"Does thing {n}.") for n in range(300)]
    at.store.save("office", tools, source="api", now_s=0.0)
    await at.ready("office")
    for reads in ("gateway.tools.offered.reader.reading_offer", "gateway.tools.registries._from_json"):
        monkeypatch.setattr(reads, None)
    monkeypatch.setattr(StackedRetriever, "fit", None)
    prepared = await prepare(at, tools=[], routing={"tools": {"set": "office"}})
    assert prepared.trail is not None
    assert (prepared.trail.summary, prepared.trail.how) == ("300->3", "cut")


async def test_a_new_version_is_chosen_from_by_the_index_of_the_one_before_until_its_own_is_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its requests were sent the whole registry, or waited and were told to come back."""
    at, fit, go_on = desk(tmp_path), StackedRetriever.fit, threading.Event()
    many = [StoredTool(name=f"tool_{n}", description=f"Does thing {n}.") for n in range(130)]
    before = [StoredTool(name="rain", description="Will it rain?"), StoredTool(name="train", description="Trains.")]
    at.store.save("office", [*many, *before], source="api", now_s=0.0)
    await at.ready("office")
    monkeypatch.setattr(StackedRetriever, "fit", lambda *given: (go_on.wait(AT_MOST_S), fit(*given))[1])
    after = [StoredTool(name="train", description="Trains and their delays."), StoredTool(name="boat")]
    at.store.save("office", [*many, *after], source="api", now_s=0.0)
    named = {"tools": [], "routing": {"tools": {"set": "office", "top_k": 2}}}
    try:
        for_now = await prepare(at, messages=history("Will it rain on the train or the boat?"), **named)
        assert set(names(for_now)) == {"train", "boat"}
        assert after[0].declaration in for_now.request.body["tools"]
        assert for_now.trail is not None
        told = {"x-paretogate-tools": "132->2", "x-paretogate-tool-selection": "index_of_another_version"}
        assert for_now.trail.headers() == told
        key = a_key(tools_deny=("boat",))
        denied = await prepare(at, messages=history("Take the boat"), key=key, **named)
        assert "boat" not in names(denied)
        forced = {"type": "function", "function": {"name": "tool_7"}}
        assert "tool_7" in names(await prepare(at, messages=history("Take the boat"), tool_choice=forced, **named))
    finally:
        go_on.set()
    await at.ready("office")
    own = await prepare(at, messages=history("Will it rain on the train or the boat?"), **named)
    assert own.trail is not None
    assert own.trail.headers() == {"x-paretogate-tools": "132->2"}


async def test_a_large_registry_is_not_looked_through_for_garbage(tmp_path: Path) -> None:
    at = desk(tmp_path)
    tools = [StoredTool(name=f"tool_{n}", description=f"Does thing {n}.") for n in range(5_001)]
    at.store.save("office", tools, source="api", now_s=0.0)
    try:
        await at.ready("office")
        (held, *_) = at.store.load("office").tools
        assert not any(looked_at is held for looked_at in gc.get_objects())
    finally:
        gc.unfreeze()


async def test_a_registry_that_cannot_be_read_breaks_nothing_while_nobody_asks_for_it(tmp_path: Path) -> None:
    await desk(tmp_path).ready("nowhere")
