"""Which of the tools a request brought are sent on: enough to serve it, and no more than it can pay for."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from .protocol import ToolRanking

__all__ = ["ToolSelection", "select_tools"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSelection:
    """The tools to send, in the order to send them, and what became of the offer."""

    tool_ids: tuple[str, ...]
    n_offered: int

    @property
    def summary(self) -> str:
        """For a header: `128->5`."""
        return f"{self.n_offered}->{len(self.tool_ids)}"


def select_tools(
    offered: Mapping[str, int],
    ranking: ToolRanking | None,
    *,
    ranked_among: Collection[str],
    always: Collection[str] = (),
    earlier: Sequence[str] = (),
    top_k: int = 10,
    min_score: float = 0.0,
    max_tokens: int | None = None,
) -> ToolSelection:
    """Keep the tools that must stay, then the best ranked ones that fit.

    Never dropped: tools in `always` (forced by the caller, already called, configured), tools sent `earlier` in the
    conversation, and tools the retriever does not know. Tools sent earlier come first and in their old order, so that
    a conversation's tool list only ever grows at its end and prompt caches stay valid.

    Args:
        offered: tool id -> tokens of its declaration, in the request's order.
        ranking: of the retriever; None (it failed, or is off) sends everything.
        ranked_among: ids the retriever knows.
        always: ids that must stay.
        earlier: ids sent with the conversation's last turn, in that order.
        top_k: at most so many tools by ranking, beside those that must stay.
        min_score: tools ranked below it are not sent.
        max_tokens: budget of all declarations; tools that must stay may exceed it, others fill what is left.
    """
    known = frozenset(ranked_among)
    if ranking is None:
        return ToolSelection(tool_ids=_in_order(offered, earlier, chosen=frozenset(offered)), n_offered=len(offered))
    must = {tool_id for tool_id in offered if tool_id in always or tool_id in earlier or tool_id not in known}
    chosen, spent, n_ranked = set(must), sum(offered[tool_id] for tool_id in must), 0
    for tool_id, score in zip(ranking.tool_ids, ranking.scores, strict=True):
        if n_ranked == top_k or score < min_score:
            break
        if tool_id not in offered or tool_id in must:
            continue
        if max_tokens is not None and spent + offered[tool_id] > max_tokens:
            continue  # a smaller tool further down may still fit
        chosen.add(tool_id)
        spent += offered[tool_id]
        n_ranked += 1
    return ToolSelection(tool_ids=_in_order(offered, earlier, chosen=chosen), n_offered=len(offered))


def _in_order(offered: Mapping[str, int], earlier: Sequence[str], *, chosen: Collection[str]) -> tuple[str, ...]:
    before = [tool_id for tool_id in dict.fromkeys(earlier) if tool_id in offered]
    return (*before, *(tool_id for tool_id in offered if tool_id in chosen and tool_id not in before))
