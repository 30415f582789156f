import asyncio
import threading
from pathlib import Path

import httpx
import orjson
import pytest
from mcp import Client

from gateway.tools import RegistryStore, StoredTool
from predictors.tools import StackedRetriever
from tests.gateway.running import CHAT, RunningGateway, pair
from tests.gateway.tools.offers import functions, history
from tests.waiting import AT_MOST_S

pytestmark = pytest.mark.loopback
SETTINGS = {"tools": {"deadline_ms": 60_000, "top_k": 3}}


async def test_a_backend_gets_only_the_tools_that_are_needed_and_the_client_is_told(tmp_path: Path) -> None:
    async with pair(tmp_path, settings=SETTINGS) as (gateway, strong, cheap):
        answer = await gateway.client.post(
            CHAT, json={"model": "cheap", "messages": history("What is the weather?"), "tools": functions()}
        )
        assert answer.headers["x-paretogate-tools"] == "40->3"
        (asked,) = [*strong.requests, *cheap.requests]
        assert "weather_tool" in [tool["function"]["name"] for tool in asked["tools"]]
        assert len(asked["tools"]) == 3
        (outcome,) = gateway.journal.of("outcome")
        assert (outcome["tools"]["offered"], outcome["tools"]["sent"], len(outcome["tools_offered"])) == (40, 3, 3)
        (decision,) = gateway.journal.of("decision")
        assert decision["query"]["tokens"] < 400  # forty declarations are some 1,800
        metrics = (await gateway.client.get("/metrics")).text
        assert 'paretogate_tool_selections_total{how="cut"} 1.0' in metrics


async def test_messages_and_responses_bring_tools_in_their_own_shapes(tmp_path: Path) -> None:
    plain = [tool["function"] for tool in functions()]
    claude = [{"name": t["name"], "description": t["description"], "input_schema": t["parameters"]} for t in plain]
    async with pair(tmp_path, settings=SETTINGS) as (gateway, strong, cheap):
        for path, body in (
            ("/v1/messages", {"max_tokens": 9, "messages": history("What is the weather?"), "tools": claude}),
            ("/v1/responses", {"input": "What is the weather?", "tools": [{"type": "function", **t} for t in plain]}),
        ):
            answer = await gateway.client.post(path, json={"model": "cheap", **body})
            assert (answer.status_code, answer.headers["x-paretogate-tools"]) == (200, "40->3"), answer.text
        assert [len(asked["tools"]) for asked in [*strong.requests, *cheap.requests]] == [3, 3]


async def test_a_decision_is_made_on_the_tools_that_would_be_sent(tmp_path: Path) -> None:
    async with pair(tmp_path, settings=SETTINGS) as (gateway, _, _):
        told = await gateway.client.post(
            f"/routing{CHAT}", json={"model": "cheap", "messages": history("Weather?"), "tools": functions()}
        )
        assert (told.json()["tools"]["offered"], told.json()["tools"]["sent"]) == (40, 3)


async def test_tools_are_kept_listed_and_found(tmp_path: Path) -> None:
    async with pair(tmp_path, settings=SETTINGS) as (gateway, _, _):
        put = await gateway.client.put("/v1/tools/registries/office", json={"tools": functions()})
        assert (put.json()["name"], put.json()["version"], put.json()["tools"]) == ("office", 1, 40)
        listed = (await gateway.client.get("/v1/tools/registries")).json()["data"]
        assert [entry["name"] for entry in listed] == ["office"]
        shown = (await gateway.client.get("/v1/tools/registries/office@1")).json()
        assert len(shown["tools"]) == 40
        found = await gateway.client.post("/v1/tools/search", json={"query": "weather", "set": "office", "top_k": 2})
        best = found.json()["data"]
        assert (len(best), best[0]["name"], best[0]["set"]) == (2, "weather_tool", "office@1")


async def test_a_search_says_while_the_index_of_another_version_serves_it_over_http_and_mcp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit, go_on, ask = StackedRetriever.fit, threading.Event(), {"query": "weather", "set": "office", "top_k": 2}
    registry, why = "/v1/tools/registries/office", "index_of_another_version"
    tools, by_mcp = functions(), {"query": "weather", "top_k": 2}
    async with pair(tmp_path, settings=SETTINGS) as (gateway, _, _), Client(f"{gateway.url}/mcp") as mcp:
        await gateway.client.put(registry, json={"tools": tools})
        await ready_indexes(gateway)
        own, own_by_mcp = await found_by(gateway, ask), await mcp.call_tool("search_tools", by_mcp)
        monkeypatch.setattr(StackedRetriever, "fit", lambda *given: (go_on.wait(AT_MOST_S), fit(*given))[1])
        try:
            await gateway.client.put(registry, json={"tools": tools[1:]})
            for_now, for_now_by_mcp = await found_by(gateway, ask), await mcp.call_tool("search_tools", by_mcp)
            nothing = await found_by(gateway, {**ask, "category": "none of these"})
        finally:
            go_on.set()
        await ready_indexes(gateway)
        later, later_by_mcp = await found_by(gateway, ask), await mcp.call_tool("search_tools", by_mcp)
    for told, version in ((own, 1), (for_now, 2), (later, 2)):
        assert [tool["set"] for tool in told.json()["data"]] == [f"office@{version}"] * 2
    for told in (own, later, nothing):
        assert "x-paretogate-tool-selection" not in told.headers
        assert "tool_selection" not in told.json()
    assert (for_now.headers["x-paretogate-tool-selection"], for_now.json()["tool_selection"]) == (why, why)
    assert (for_now_by_mcp.meta or {})["paretogate/tool-selection"] == {"office@2": why}
    for said in (own_by_mcp, later_by_mcp):
        assert "paretogate/tool-selection" not in (said.meta or {})
    for said, told in ((own_by_mcp, own), (for_now_by_mcp, for_now), (later_by_mcp, later)):
        assert said.structured_content == {"result": told.json()["data"]}
        assert [orjson.loads(part.text) for part in said.content if part.type == "text"] == told.json()["data"]


async def found_by(gateway: RunningGateway, asked: dict[str, object]) -> httpx.Response:
    return await gateway.client.post("/v1/tools/search", json=asked)


async def ready_indexes(gateway: RunningGateway) -> str:
    """The metrics of a gateway, as soon as it has an index and makes no other."""
    async with asyncio.timeout(AT_MOST_S):
        while True:
            metrics = (await gateway.client.get("/metrics")).text
            if 'tool_indexes_total{outcome="ready"}' in metrics and "tool_indexes_in_making 0.0" in metrics:
                return metrics
            await asyncio.sleep(0.05)


async def test_a_registry_is_indexed_when_it_comes_and_not_when_a_request_waits_for_it(tmp_path: Path) -> None:
    async with pair(tmp_path, settings=SETTINGS) as (gateway, _, _):
        await gateway.client.put("/v1/tools/registries/office", json={"tools": functions()})
        await ready_indexes(gateway)  # nobody has asked for it


async def test_registries_that_are_there_are_indexed_at_the_start(tmp_path: Path) -> None:
    tools = [StoredTool(name=f"tool_{n}", description=f"Does thing {n}.") for n in range(30)]
    RegistryStore(tmp_path / "tools" / "registries").save("office", tools, source="api", now_s=0.0)
    async with pair(tmp_path, settings=SETTINGS) as (gateway, _, _):
        assert 'tool_indexes_total{outcome="ready"} 1.0' in await ready_indexes(gateway)


async def test_a_search_whose_index_is_not_ready_in_time_is_told_to_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.tools.indexes.sources._SEARCH_WAITS_S", 0.0)
    async with pair(tmp_path, settings=SETTINGS) as (gateway, _, _):
        asked = {"query": "weather", "tools": functions()}
        early = await gateway.client.post("/v1/tools/search", json=asked)
        assert (early.status_code, early.headers["retry-after"]) == (503, "5"), early.text
        await ready_indexes(gateway)


async def test_a_search_may_bring_its_own_tools_and_messages(tmp_path: Path) -> None:
    async with pair(tmp_path, settings=SETTINGS) as (gateway, _, _):
        found = await gateway.client.post(
            "/v1/tools/search", json={"messages": history("Any parking here?"), "tools": functions(), "top_k": 1}
        )
        assert found.json()["data"][0]["name"] == "parking_tool"


async def test_numbers_beyond_64_bits_are_taken_as_other_programs_take_them(tmp_path: Path) -> None:
    tools = [{"name": "pay", "description": "Pays.", "parameters": {"properties": {"n": {"maximum": 1 << 256}}}}]
    async with pair(tmp_path, settings=SETTINGS) as (gateway, _, _):
        found = await gateway.client.post("/v1/tools/search", json={"query": "pay", "tools": tools})
        assert found.json()["data"][0]["name"] == "pay", found.text
        kept = await gateway.client.put("/v1/tools/registries/office", json={"tools": tools})
        assert kept.status_code == 200, kept.text


@pytest.mark.parametrize(
    ("body", "status"),
    [({"query": "x"}, 400), ({"set": "office"}, 400), ({"query": "x", "set": "nowhere"}, 404), ({"topk": 3}, 400)],
)
async def test_a_search_that_names_nothing_is_told_what_is_missing(
    tmp_path: Path, body: dict[str, object], status: int
) -> None:
    async with pair(tmp_path, settings=SETTINGS) as (gateway, _, _):
        assert (await gateway.client.post("/v1/tools/search", json=body)).status_code == status


async def test_a_registry_that_cannot_be_kept_is_no_crash_and_tells_no_path(tmp_path: Path) -> None:
    async with pair(tmp_path, settings=SETTINGS) as (gateway, _, _):
        (tmp_path / "tools" / "registries").mkdir(parents=True, exist_ok=True)
        (tmp_path / "tools" / "registries" / "office").touch()  # as a full disk would, this refuses its version
        told = await gateway.client.put("/v1/tools/registries/office", json={"tools": functions()})
        assert (told.status_code, told.json()["error"]["code"]) == (503, "unavailable")
        assert str(tmp_path) not in told.text
        assert int(told.headers["retry-after"]) > 0


async def test_one_damaged_registry_keeps_no_other_from_being_listed_or_searched(tmp_path: Path) -> None:
    async with pair(tmp_path, settings=SETTINGS) as (gateway, _, _):
        for name in ("broken", "office"):
            await gateway.client.put(f"/v1/tools/registries/{name}", json={"tools": functions()})
        store = RegistryStore(tmp_path / "tools" / "registries")
        assert [entry["tools"] for entry in store.summaries()] == [40, 40]
    (tmp_path / "tools" / "registries" / "broken" / "1.json").write_bytes(b"{")
    async with pair(tmp_path, settings=SETTINGS) as (gateway, _, _):
        listed = await gateway.client.get("/v1/tools/registries")
        named = [
            await gateway.client.get("/v1/tools/registries/broken"),
            await gateway.client.post("/v1/tools/search", json={"query": "weather", "set": "broken"}),
            await gateway.chat(tools=functions(), routing={"tools": {"set": "broken"}}),
        ]
        found = await gateway.client.post("/v1/tools/search", json={"query": "weather", "set": "office"})
        again = await gateway.client.put("/v1/tools/registries/broken", json={"tools": functions()})
    broken, office = listed.json()["data"]
    assert (broken["name"], broken["version"], office["tools"]) == ("broken", 1, 40)
    assert broken["damaged"].startswith("tools/registries/broken/1.json in the state directory is damaged")
    for answer in named:
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["message"]) == (503, "registry_damaged", broken["damaged"])
    assert found.status_code == 200
    assert again.json()["version"] == 2
