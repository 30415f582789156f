"""Usage for tools that nobody has used yet: requests that a language model makes up for them, and that are checked.

`synthesis_recipes` has what the model is asked. What it writes is checked twice: a request must not say a tool's name,
and a retriever that has not seen it must find its tools (round trip).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .errors import InvalidToolError
from .protocol import ToolRetriever
from .registry import Tool, ToolRegistry
from .synthesis_recipes import RECIPE, RECIPES, SINGLE, Chat, Draft, SynthesisTally, chosen_and_written, written_for_one
from .usage import ToolUsage

__all__ = ["RECIPE", "RECIPES", "SINGLE", "Chat", "SynthesisTally", "SyntheticRequest", "synthesize", "usage_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticRequest:
    """A made-up request and where it came from, so that it can be told from real use and thrown away again."""

    query: str
    tool_ids: tuple[str, ...]
    model: str
    recipe: str
    registry_digest: str


def synthesize(
    registry: ToolRegistry,
    chat: Chat,
    *,
    model: str,
    examples: Sequence[tuple[str, Sequence[str]]],
    rng: np.random.Generator,
    max_calls: int,
    already: Sequence[SyntheticRequest] = (),
    n_offered: int = 10,
    check: ToolRetriever | None = None,
    check_depth: int = 20,
    tally: SynthesisTally | None = None,
    recipe: str = RECIPE,
) -> Iterator[SyntheticRequest]:
    """Make up requests one by one, for the tools that have fewest, until the budget is spent.

    Stop whenever enough have come, write each down as it comes, and give what was written as `already` to go on.

    Args:
        registry: with two tools at least.
        chat: two calls per request, one writes and one rewrites; with the recipe `SINGLE` one call.
        model: named in every request's provenance.
        examples: requests and the names of the tools they need, as the registry has them; three are shown.
        rng: draws the tools on offer.
        max_calls: budget of `chat`.
        already: requests made before, of this registry or an older version of it.
        n_offered: tools shown to the model at once.
        check: a fitted retriever; a request is kept only if it finds all its tools among the first `check_depth`.
        check_depth: how far the round trip looks.
        tally: counts what happens.
        recipe: one of `RECIPES`.

    Raises:
        InvalidToolError: the registry is too small, or there is no such recipe.
    """
    if recipe not in RECIPES:
        raise InvalidToolError(f"no recipe {recipe!r}; there are {', '.join(RECIPES)}")
    if len(registry) < 2:
        raise InvalidToolError(f"registry {registry.name!r} has {len(registry)} tools; two are needed to choose from")
    tally = tally if tally is not None else SynthesisTally()
    uses = _uses(already, registry)
    by_name = {tool.name: tool for tool in registry}
    told = [(query, [by_name[name] for name in names if name in by_name]) for query, names in examples]
    write, n_calls, n_shown = (written_for_one, 1, 1) if recipe == SINGLE else (chosen_and_written, 2, n_offered)
    while tally.calls + n_calls <= max_calls:
        offered = _offer(registry, uses, n_shown, rng)
        shown = [told[int(i)] for i in rng.permutation(len(told))[:3]]
        draft = write(chat, offered, shown, tally)
        if draft is None or not _holds(draft, check, check_depth, tally):
            continue
        for tool in draft.tools:
            uses[registry.row(tool.tool_id)] += 1
        tally.kept += 1
        yield SyntheticRequest(
            query=draft.query,
            tool_ids=tuple(tool.tool_id for tool in draft.tools),
            model=model,
            recipe=recipe,
            registry_digest=registry.digest,
        )


def usage_of(requests: Sequence[SyntheticRequest]) -> ToolUsage:
    """Made-up requests as usage; keep it apart from real usage, and let it go when there is enough of that."""
    return ToolUsage.of([made.query for made in requests], [made.tool_ids for made in requests])


def _uses(already: Sequence[SyntheticRequest], registry: ToolRegistry) -> np.ndarray:
    """How many requests there are for each tool, (n_tools,)."""
    uses = np.zeros(len(registry))
    for made in already:
        for tool_id in made.tool_ids:
            if tool_id in registry:
                uses[registry.row(tool_id)] += 1
    return uses


def _offer(registry: ToolRegistry, uses: np.ndarray, n: int, rng: np.random.Generator) -> list[Tool]:
    """Half of the tools on offer are the least used, the others any; in random order."""
    n = min(n, len(registry))
    tie_broken = np.lexsort((rng.random(len(registry)), uses))  # (n_tools,)
    neediest = tie_broken[: max(1, n // 2)]
    others = rng.permutation(np.setdiff1d(np.arange(len(registry)), neediest))[: n - len(neediest)]
    return [registry.tools[int(row)] for row in rng.permutation(np.concatenate([neediest, others]))]


def _holds(draft: Draft, check: ToolRetriever | None, depth: int, tally: SynthesisTally) -> bool:
    """Whether a request names none of its tools, and finds all of them again."""
    query, tools = draft
    said = query.lower()
    if not query or any(tool.name.lower() in said for tool in tools if len(tool.name) > 3 and not tool.name.isalpha()):
        tally.names_a_tool += bool(query)
        tally.unreadable += not query
        return False
    if check is not None and not {t.tool_id for t in tools} <= set(check.rank([query], depth)[0].tool_ids):
        tally.not_found_again += 1
        return False
    return True
