"""Usage for tools that nobody has used yet: requests that a language model makes up for them, and that are checked.

The recipe is ToolBank's: offer some tools, let the model choose a few that fit one request and write it, drop answers
that name other tools, then have a second pass rewrite what sounds like a manual. Two filters are ours: a request must
not say a tool's name, and a retriever that has not seen it must find its tools (round trip). A second recipe, ours,
is for models too small to choose and to write JSON: worked examples stand as earlier turns of the conversation, each a
tool and then a request, and the last turn is the tool; the first line of the answer is the request.

Source: arXiv 2409.02141, section on ToolBank; prompts are our own wording, since the published ones were not at hand.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from .errors import InvalidToolError
from .protocol import ToolRetriever
from .registry import Tool, ToolRegistry
from .usage import ToolUsage

__all__ = ["RECIPE", "RECIPES", "SINGLE", "Chat", "SynthesisTally", "SyntheticRequest", "synthesize", "usage_of"]

RECIPE: Final = "toolbank-1"
SINGLE: Final = "single-2"  # single-1 told its examples in one turn, and small models wrote descriptions
RECIPES: Final = (RECIPE, SINGLE)


class Chat(Protocol):
    """Asks a language model and returns its answer; it may raise, and what it raises passes through."""

    def __call__(self, prompt: str, earlier: Sequence[tuple[str, str]] = ()) -> str:
        """Answer the prompt, after earlier turns: each what was asked and what was answered."""
        ...


_DESCRIPTION_CHARS: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticRequest:
    """A made-up request and where it came from, so that it can be told from real use and thrown away again."""

    query: str
    tool_ids: tuple[str, ...]
    model: str
    recipe: str
    registry_digest: str


@dataclass(slots=True)
class SynthesisTally:
    """What became of the calls: read it while or after `synthesize` runs."""

    calls: int = 0
    kept: int = 0
    unreadable: int = 0
    unknown_tool: int = 0
    names_a_tool: int = 0
    not_found_again: int = 0


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
    uses = np.zeros(len(registry))
    for made in already:
        for tool_id in made.tool_ids:
            if tool_id in registry:
                uses[registry.row(tool_id)] += 1
    by_name = {tool.name: tool for tool in registry}
    told = [(query, [by_name[name] for name in names if name in by_name]) for query, names in examples]
    calls_each = 1 if recipe == SINGLE else 2
    while tally.calls + calls_each <= max_calls:
        offered = _offer(registry, uses, 1 if recipe == SINGLE else n_offered, rng)
        shown = [told[int(i)] for i in rng.permutation(len(told))[:3]]
        write = _single if recipe == SINGLE else _chosen
        found = write(chat, offered, shown, tally)
        if found is None:
            continue
        query, tools = found
        if not _holds(query, tools, check, check_depth, tally):
            continue
        for tool in tools:
            uses[registry.row(tool.tool_id)] += 1
        tally.kept += 1
        yield SyntheticRequest(
            query=query,
            tool_ids=tuple(tool.tool_id for tool in tools),
            model=model,
            recipe=recipe,
            registry_digest=registry.digest,
        )


def usage_of(requests: Sequence[SyntheticRequest]) -> ToolUsage:
    """Made-up requests as usage; keep it apart from real usage, and let it go when there is enough of that."""
    return ToolUsage.of([made.query for made in requests], [made.tool_ids for made in requests])


def _offer(registry: ToolRegistry, uses: np.ndarray, n: int, rng: np.random.Generator) -> list[Tool]:
    """Half of the tools on offer are the least used, the others any; in random order."""
    n = min(n, len(registry))
    tie_broken = np.lexsort((rng.random(len(registry)), uses))  # (n_tools,)
    neediest = tie_broken[: max(1, n // 2)]
    others = rng.permutation(np.setdiff1d(np.arange(len(registry)), neediest))[: n - len(neediest)]
    return [registry.tools[int(row)] for row in rng.permutation(np.concatenate([neediest, others]))]


def _chosen(
    chat: Chat, offered: Sequence[Tool], shown: Sequence[tuple[str, Sequence[Tool]]], tally: SynthesisTally
) -> tuple[str, list[Tool]] | None:
    """The model chooses and writes, then rewrites; None where its first answer cannot be used."""
    found = _written(chat(_writing_prompt(offered, shown)), offered, tally)
    tally.calls += 1
    if found is None:
        return None
    tally.calls += 1
    return chat(_rewriting_prompt(found[0])).strip().strip('"'), found[1]


def _single(
    chat: Chat, offered: Sequence[Tool], shown: Sequence[tuple[str, Sequence[Tool]]], tally: SynthesisTally
) -> tuple[str, list[Tool]] | None:
    """The first line that the model says for one tool; None where it says nothing."""
    turns = [(_described(tools), query) for query, tools in shown]
    tally.calls += 1
    lines = chat(_described(offered), turns).strip().splitlines()
    query = lines[0].strip().strip('"') if lines else ""
    if not query:
        tally.unreadable += 1
        return None
    return query, list(offered)


def _described(tools: Sequence[Tool]) -> str:
    return "\n".join(f"{tool.name}: {tool.description[:_DESCRIPTION_CHARS]}" for tool in tools)


def _writing_prompt(offered: Sequence[Tool], examples: Sequence[tuple[str, Sequence[Tool]]]) -> str:
    tools = "\n".join(f"- {tool.name}: {tool.description[:_DESCRIPTION_CHARS]}" for tool in offered)
    shown = "\n".join(json.dumps({"tools": [t.name for t in known], "request": query}) for query, known in examples)
    return (
        f"Here are tools:\n{tools}\n\nChoose two to six of them, or one if none fit together, that a person would need "
        "for one realistic request, and write that request. Do not mention the tools. Answer with one line of JSON "
        f'with the keys "tools" and "request".\n\nExamples:\n{shown}\n\nAnswer:'
    )


def _rewriting_prompt(draft: str) -> str:
    return (
        "Rewrite this request as a person would say it: no numbered steps, no conditions, no robotic wording, nothing "
        f"added and nothing left out. Answer with the request only.\n\nRequest: {draft}\n\nRewritten:"
    )


def _written(answer: str, offered: Sequence[Tool], tally: SynthesisTally) -> tuple[str, list[Tool]] | None:
    """The draft and its tools, or None where the answer cannot be used."""
    match = re.search(r"\{.*?\}", answer, flags=re.DOTALL)
    try:
        found = json.loads(match.group(0)) if match else None
    except ValueError:
        found = None
    names = found.get("tools") if isinstance(found, dict) else None
    draft = found.get("request") if isinstance(found, dict) else None
    if not isinstance(draft, str) or not draft.strip() or not isinstance(names, list) or not names:
        tally.unreadable += 1
        return None
    by_name = {tool.name: tool for tool in offered}
    if any(not isinstance(name, str) or name not in by_name for name in names):
        tally.unknown_tool += 1
        return None
    return draft, [by_name[name] for name in dict.fromkeys(names)]


def _holds(query: str, tools: Sequence[Tool], check: ToolRetriever | None, depth: int, tally: SynthesisTally) -> bool:
    said = query.lower()
    if not query or any(tool.name.lower() in said for tool in tools if len(tool.name) > 3 and not tool.name.isalpha()):
        tally.names_a_tool += bool(query)
        tally.unreadable += not query
        return False
    if check is not None and not {t.tool_id for t in tools} <= set(check.rank([query], depth)[0].tool_ids):
        tally.not_found_again += 1
        return False
    return True
