"""Which of the offered tools are sent, turn by turn, so that a conversation's list only ever grows at its end."""

import asyncio
from collections.abc import Mapping, Sequence

from gateway.tools.indexes.shelf import ToolIndex
from gateway.tools.offered.offer import Event, Offer, named_in
from gateway.tools.offered.wishes import ToolWishes
from predictors.tools import ToolRanking, select_tools

__all__ = ["choose_tools"]

_RANKED = 64  # as many as the retriever looks at twice
_MANY = 2_000  # tools: a turn of more takes about a millisecond


async def choose_tools(
    offer: Offer, index: ToolIndex, events: Sequence[Event], wishes: ToolWishes, *, earlier: Sequence[str] | None
) -> tuple[str, ...]:
    """Ids of the tools to send, in the order to send them.

    The list is a fold over the conversation: instructions add what they name, each turn of the user adds what it needs,
    each call adds what was called. So the list of one turn is the beginning of the list of the next, on any replica,
    without anything remembered.

    Args:
        offer: what came.
        index: knows the tools it may rank; others are sent.
        events: the conversation.
        wishes: how many, how good, how large.
        earlier: what was sent with the request before, where that is remembered; a new turn is then judged alone.
    """
    asked = [at for at, event in enumerate(events) if event.asked is not None]
    if not asked:
        return tuple(offer.declared)
    sent = [tool_id for tool_id in earlier or () if tool_id in offer.declared]
    if earlier is not None:
        if any(event.called is not None for event in events[asked[-1] :]):  # the turn goes on: it was judged before
            judged = await choose_tools(offer, index, events, wishes, earlier=None)
            return tuple(dict.fromkeys((*sent, *judged)))
        events = [*(event for event in events[: asked[-1]] if event.asked is None), *events[asked[-1] :]]
    texts = [event.asked for event in events if event.asked is not None]
    ranked = await index.rank_apart(texts, k=_RANKED)
    rankings = iter(ranked)
    tokens = offer.tokens if wishes.max_tokens is not None else dict.fromkeys(offer.declared, 0)  # counting takes time
    for event in events:
        if len(offer) > _MANY:
            await asyncio.sleep(0)  # each turn looks through the whole offer
        if event.told is not None:
            names = named_in(event.told)
            sent += [tool_id for tool_id in offer.declared if tool_id in names and tool_id not in sent]
        elif event.called is not None and event.called in offer.declared and event.called not in sent:
            sent.append(event.called)
        elif event.asked is not None:
            sent = list(_with_turn(tokens, index, wishes, sent, next(rankings)))
    sent += [tool_id for tool_id in offer.declared if tool_id in offer.forced and tool_id not in sent]
    if not sent and offer.needs_call:  # what must be called must be there, however badly it fits
        sent += [tool_id for tool_id in ranked[-1].tool_ids if tool_id in offer.declared][:1]
    return tuple(sent)


def _with_turn(
    tokens: Mapping[str, int], index: ToolIndex, wishes: ToolWishes, sent: Sequence[str], ranking: ToolRanking
) -> tuple[str, ...]:
    return select_tools(
        tokens,
        ranking,
        ranked_among=index.tool_ids,
        always=wishes.always,
        earlier=sent,
        top_k=wishes.top_k,
        min_score=wishes.min_score,
        max_tokens=wishes.max_tokens,
    ).tool_ids
