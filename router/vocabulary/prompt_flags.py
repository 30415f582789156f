"""Tryage's flags inside the prompt: `[Flag: smallest model]`. Read only where the operator allows it."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from router.errors import InvalidRoutingError

from .values import text
from .wish import Wish, combined, require_from_text

__all__ = ["FLAG_GOALS", "PromptFlags", "read_prompt_flags"]

# A flag is a superlative, so its goal weighs as much as quality itself.
FLAG_GOALS = {
    "smallest model": "size",
    "newest model": "recency",
    "most secure": "security",
    "concise": "verbosity",
    "readable": "readability",
    "cheapest": "cost",
    "fastest": "latency",
}
_FLAG = re.compile(r"\[flag:([^\[\]]*)\]", re.IGNORECASE)
_LONGEST = 200  # characters


class PromptFlags(NamedTuple):
    """What the flags of a request wish, and what held them without them; None where nothing did."""

    wish: Wish
    messages: list[object] | None = None
    prompt: str | list[object] | None = None


def read_prompt_flags(body: Mapping[str, object]) -> PromptFlags:
    """The flags of every message, in plain content and in text parts, and of a completion's `prompt` or prompts.

    What holds none is passed on as it is.
    """
    found: list[str] = []
    messages, prompt = body.get("messages"), body.get("prompt")
    bare = [_stripped_message(message, found) for message in messages] if isinstance(messages, list) else None
    if not found:
        bare = None
    before = len(found)
    left: str | list[object] | None = None
    if isinstance(prompt, str):
        left = _stripped_text(prompt, found)
    elif isinstance(prompt, list):
        left = [_stripped_text(part, found) if isinstance(part, str) else part for part in prompt]
    return PromptFlags(_wish(found) if found else {}, bare, None if len(found) == before else left)


def _stripped_message(message: object, found: list[str]) -> object:
    if not isinstance(message, Mapping):
        return message
    content = message.get("content")
    before = len(found)
    if isinstance(content, str):
        content = _stripped_text(content, found)
    elif isinstance(content, list):
        content = [_stripped_part(part, found) for part in content]
    return message if len(found) == before else {**message, "content": content}


def _stripped_part(part: object, found: list[str]) -> object:
    if not isinstance(part, Mapping) or not isinstance(part.get("text"), str):
        return part
    before = len(found)
    plain = _stripped_text(part["text"], found)
    return part if len(found) == before else {**part, "text": plain}


def _stripped_text(content: str, found: list[str]) -> str:
    flags = _FLAG.findall(content)
    if not flags:
        return content
    found.extend(flag.strip() for flag in flags)
    return "".join(part.rstrip(" \t") for part in _FLAG.split(content)[::2]).strip()


def _wish(flags: Sequence[str]) -> Wish:
    goals: dict[str, float] = {}
    rest: list[tuple[str, Wish]] = []
    for flag in flags:
        name = " ".join(flag.casefold().split())
        if len(flag) > _LONGEST:
            raise InvalidRoutingError(
                field="flag", problem=f"longer than {_LONGEST} characters; use the body's routing"
            )
        if name in FLAG_GOALS:
            goals[FLAG_GOALS[name]] = 1.0
        elif name.startswith("policy="):
            rest.append((f"[Flag: {flag}]", {"policy": text(name.removeprefix("policy="), "flag.policy")}))
        elif "=" in name:
            rest.append((f"[Flag: {flag}]", require_from_text(flag, "flag")))
        else:
            known = ", ".join([*FLAG_GOALS, "policy=NAME", "CONSTRAINT=VALUE"])
            raise InvalidRoutingError(field=f"[Flag: {flag}]", problem=f"unknown flag; choose from {known}")
    wish = combined(*rest)
    return wish | {"weights": goals} if goals else wish
