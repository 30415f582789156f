"""One caller's few requests neither fill the memory nor take all the time: what is kept of them is bounded in bytes."""

import threading
from pathlib import Path
from typing import Any

import pytest

from gateway.state import MemoryState
from gateway.tools.indexes import shelf as shelves
from gateway.tools.indexes.shelf import IndexShelf, ToolIndex
from gateway.tools.offered.reader import OfferReader
from tests.gateway.running import CHAT, HI, pair
from tests.waiting import AT_MOST_S

TURNS = [*HI, {"role": "assistant", "content": "a"}, *HI]


def tools(number: int, *, of: str = "tool", chars: int = 0) -> list[dict[str, Any]]:
    return [
        {"type": "function", "function": {"name": f"{of}_{i}_{'n' * chars}", "description": "d", "parameters": {}}}
        for i in range(number)
    ]


@pytest.mark.loopback
async def test_references_count_by_what_they_refer_to(tmp_path: Path) -> None:
    """Five hundred took 35 kB and became a hundred megabytes."""
    settings = {"server": {"max_body_bytes": 50_000}}
    async with pair(tmp_path, settings=settings) as (gateway, strong, _):
        told = {"model": "strong", "input": [{"role": "user", "content": "x " * 5_000}]}
        made = (await gateway.client.post("/v1/responses", json=told)).json()
        items = (await gateway.client.get(f"/v1/responses/{made['id']}/input_items")).json()["data"]
        reference = {"type": "item_reference", "id": items[0]["id"]}
        statuses = []
        for times in (4, 5, 500):
            referring = {"model": "strong", "input": [reference] * times}
            answer = await gateway.client.post("/v1/responses", json=referring)
            statuses.append(answer.status_code)
    assert statuses[1:] == [413, 413]
    assert answer.json()["error"]["code"] == "request_too_large"
    assert statuses[0] != 413  # whatever the model's window says
    assert len(strong.requests) <= 2


@pytest.mark.loopback
@pytest.mark.parametrize(
    "models",
    [
        {"deny": [f"{number}-{'x' * 900}" for number in range(3_000)]},
        {"allow": ["x" * 257]},
        {"deny": [f"maker/{number}-*" for number in range(101)]},
    ],
)
async def test_lists_of_models_have_bounds(tmp_path: Path, models: dict[str, list[str]]) -> None:
    """Each name was compiled to a pattern: three megabytes of them stopped all requests for twenty seconds."""
    async with pair(tmp_path) as (gateway, strong, _):
        answer = await gateway.client.post(CHAT, json={"model": "auto", "messages": HI, "routing": {"models": models}})
        long = {"deny": [f"maker/{number}" for number in range(1_000)]}
        fine = await gateway.client.post(CHAT, json={"model": "auto", "messages": HI, "routing": {"models": long}})
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("routing.models.")
    assert (fine.status_code, len(strong.requests)) == (200, 1)


@pytest.mark.loopback
async def test_a_conversation_is_remembered_without_tools_of_any_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = []
    settle = MemoryState.settle_now
    monkeypatch.setattr(MemoryState, "settle_now", lambda self, s: (kept.append(s.remember), settle(self, s)))
    async with pair(tmp_path, settings={"server": {"rehearse_ms": 0}}) as (gateway, _, __):
        for chars in (1, 20_000):
            body = {"model": "strong", "messages": TURNS, "tools": tools(3, chars=chars)}
            assert (await gateway.client.post(CHAT, json=body)).status_code == 200
    few, long = (remembered.state for remembered in kept if remembered is not None)
    assert (len(few.tools), long.tools) == (3, ())
    assert long.backend_id == "strong"


async def test_lists_of_tools_that_came_before_are_known_up_to_so_many_bytes() -> None:
    reader = OfferReader(most_bytes=200_000)
    few = await reader.read({"tools": tools(300)})  # 30 kB
    assert await reader.read({"tools": tools(300)}) is few
    much = await reader.read({"tools": tools(300, of="other", chars=500)})  # 180 kB
    assert await reader.read({"tools": tools(300, of="other", chars=500)}) is much
    assert await reader.read({"tools": tools(300)}) is not few
    more = await reader.read({"tools": tools(300, of="third", chars=700)})  # more than all lists may have
    assert await reader.read({"tools": tools(300, of="third", chars=700)}) is not more


async def test_indexes_over_what_requests_bring_are_made_two_at_a_time_and_kept_up_to_so_many_characters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shelves, "_MOST_BROUGHT_CHARS", 100)
    shelf, begun, may_end = IndexShelf(lambda: pytest.fail("no encoder is needed")), [], threading.Event()

    def make(name: str) -> ToolIndex:
        begun.append(name)
        may_end.wait(AT_MOST_S)
        return name  # type: ignore[return-value] # the shelf does not look into it

    tasks = [shelf.begin(name, lambda name=name: make(name), brought=40) for name in "abc"]  # type: ignore[misc]
    own = shelf.begin("registry@1", lambda: ToolIndex(None, ()))  # type: ignore[arg-type] # an empty one
    await own  # which waits for none of them
    while len(begun) < 2:
        await shelf.begin("registry@1", lambda: pytest.fail("it is there"))
    assert begun == ["a", "b"]
    may_end.set()
    assert [await task for task in tasks] == ["a", "b", "c"]
    assert [shelf.made(name) is not None for name in "abc"] == [False, True, True]
    assert shelf.made("registry@1") is not None
