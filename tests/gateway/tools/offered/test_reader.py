import asyncio
from typing import Any

from gateway.tools.offered.offer import read_offer
from gateway.tools.offered.reader import OfferReader, in_pieces
from tests.gateway.tools.offers import function


def many(n: int, *, first: int = 0) -> list[dict[str, Any]]:
    return [function(f"tool_{number}", f"Does thing {number}.") for number in range(first, first + n)]


async def turns_of_others(work: Any) -> tuple[Any, int]:
    """What some work gives, and how often others had their turn meanwhile."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    counting = asyncio.create_task(count())
    found = await work
    counting.cancel()
    return found, turns


async def test_a_long_list_is_read_as_a_short_one_is() -> None:
    body = {"tools": [*many(1_000), {"type": "web_search"}, function("tool_3")], "tool_choice": "auto"}
    pieces, whole = await OfferReader().read(body), read_offer(body)
    assert list(pieces.declared) == list(whole.declared)
    assert pieces.readable == whole.readable
    assert pieces.marked == whole.marked == ("#1000",)
    assert pieces.digest == whole.digest


async def test_others_have_their_turn_while_a_long_list_is_read() -> None:
    _, turns = await turns_of_others(OfferReader().read({"tools": many(2_000)}))
    assert turns >= 2_000 / 200


async def test_a_list_that_came_before_is_known() -> None:
    reader = OfferReader()
    first = await reader.read({"tools": many(1_000)})
    again = await reader.read({"tools": many(1_000), "messages": [{"role": "user", "content": "more"}]})
    assert again is first


async def test_a_list_that_differs_in_one_tool_or_in_what_is_forced_is_another() -> None:
    reader, tools = OfferReader(), many(1_000)
    first = await reader.read({"tools": tools})
    assert "fresh" in (await reader.read({"tools": [*tools[:-1], function("fresh")]})).declared
    forced = {"type": "function", "function": {"name": "tool_7"}}
    assert (await reader.read({"tools": tools, "tool_choice": forced})).forced == {"tool_7"}
    assert not first.forced


async def test_the_least_used_lists_are_forgotten() -> None:
    reader = OfferReader(most_tools=2_000)
    first = await reader.read({"tools": many(1_000)})
    await reader.read({"tools": many(900, first=1)})
    assert await reader.read({"tools": many(1_000)}) is first
    await reader.read({"tools": many(900, first=2)})  # the list of 900 before goes, the one that was used stays
    assert await reader.read({"tools": many(1_000)}) is first


async def test_pieces_hold_everything_once_and_in_order() -> None:
    ids = [str(number) for number in range(1_001)]
    assert [tool_id async for some in in_pieces(ids) for tool_id in some] == ids
