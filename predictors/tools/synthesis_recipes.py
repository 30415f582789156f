"""What a language model is asked for made-up requests, and how its answers are read: one function for each recipe.

`toolbank-1` is ToolBank's: offer some tools, let the model choose a few that fit one request and write it, drop answers
that name other tools, then have a second pass rewrite what sounds like a manual. `single-2` is ours, for models too
small to choose and to write JSON: worked examples stand as earlier turns of the conversation, each a tool and then a
request, and the last turn is the tool; the first line of the answer is the request.

Source: arXiv 2409.02141, section on ToolBank; prompts are our own wording, since the published ones were not at hand.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from .registry import Tool

__all__ = ["RECIPE", "RECIPES", "SINGLE", "Chat", "Draft", "SynthesisTally", "chosen_and_written", "written_for_one"]

RECIPE: Final = "toolbank-1"
SINGLE: Final = "single-2"  # single-1 told its examples in one turn, and small models wrote descriptions
RECIPES: Final = (RECIPE, SINGLE)

_DESCRIPTION_CHARS: Final = 300


class Chat(Protocol):
    """Asks a language model and returns its answer; it may raise, and what it raises passes through."""

    def __call__(self, prompt: str, earlier: Sequence[tuple[str, str]] = ()) -> str:
        """Answer the prompt, after earlier turns: each what was asked and what was answered."""
        ...


@dataclass(slots=True)
class SynthesisTally:
    """What became of the calls: read it while or after `synthesize` runs."""

    calls: int = 0
    kept: int = 0
    unreadable: int = 0
    unknown_tool: int = 0
    names_a_tool: int = 0
    not_found_again: int = 0


class Draft(NamedTuple):
    """A request, and the tools it is for."""

    query: str
    tools: list[Tool]


def chosen_and_written(
    chat: Chat, offered: Sequence[Tool], shown: Sequence[tuple[str, Sequence[Tool]]], tally: SynthesisTally
) -> Draft | None:
    """The model chooses and writes, then rewrites; None where its first answer cannot be used."""
    found = _written(chat(_writing_prompt(offered, shown)), offered, tally)
    tally.calls += 1
    if found is None:
        return None
    tally.calls += 1
    return found._replace(query=chat(_rewriting_prompt(found.query)).strip().strip('"'))


def written_for_one(
    chat: Chat, offered: Sequence[Tool], shown: Sequence[tuple[str, Sequence[Tool]]], tally: SynthesisTally
) -> Draft | None:
    """The first line that the model says for one tool; None where it says nothing."""
    turns = [(_described(tools), query) for query, tools in shown]
    tally.calls += 1
    lines = chat(_described(offered), turns).strip().splitlines()
    query = lines[0].strip().strip('"') if lines else ""
    if not query:
        tally.unreadable += 1
        return None
    return Draft(query, list(offered))


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


def _written(answer: str, offered: Sequence[Tool], tally: SynthesisTally) -> Draft | None:
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
    return Draft(draft, [by_name[name] for name in dict.fromkeys(names)])
