from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.dispatch import Clocks
from gateway.errors import ForbiddenError
from gateway.keys import ApiKey
from gateway.settings import ToolSettings
from gateway.telemetry import Telemetry
from gateway.tools import Prepared, RegistryStore, StoredTool, ToolDesk
from gateway.tools.errors import UnknownRegistryError
from gateway.wire.body import read_chat
from predictors.tools import UsageStatistics
from router import InvalidRoutingError, SessionState, read_options

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
    learned = UsageStatistics(dim=at.shelf.encoder.dim, half_life_s=1e9, epoch_s=0.0)
    for _ in range(20):
        learned.observe("garden_tool", at.shelf.encoder.encode([question])[0], replica="r", at_s=0.0)
    await at.take_up(stored, learned)
    after = await at.search(question, label="office", key=None, top_k=40)

    def place(found: list[dict[str, Any]]) -> int:
        return [tool["name"] for tool in found].index("garden_tool")

    assert place(after) <= place(before)
    assert place(after) == 0


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


async def test_a_registry_that_the_deployment_names_but_does_not_have_refuses_nobody(tmp_path: Path) -> None:
    assert "weather_tool" in names(await prepare(desk(tmp_path, set="nowhere")))
