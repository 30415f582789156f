"""Tryage's flags inside the prompt: `[Flag: smallest model]`. Read only where the operator allows it."""

import re
from collections.abc import Mapping, Sequence

from .errors import InvalidRoutingError
from .values import text
from .wish import Wish, combined, require_from_text

__all__ = ["FLAG_GOALS", "read_prompt_flags"]

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
_FLAG = re.compile(r"[ \t]*\[flag:\s*([^\[\]]{1,200}?)\s*\]", re.IGNORECASE)


def read_prompt_flags(messages: object) -> tuple[Wish, list[object] | None]:
    """What the flags wish, and the messages without them; None where there are no flags.

    Flags are read in every message, in plain content and in text parts; what holds none is passed on as it is.
    """
    if not isinstance(messages, list):
        return {}, None
    found: list[str] = []
    stripped = [_stripped_message(message, found) for message in messages]
    if not found:
        return {}, None
    return _wish(found), stripped


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
    found.extend(flags)
    return _FLAG.sub("", content).strip()


def _wish(flags: Sequence[str]) -> Wish:
    goals: dict[str, float] = {}
    rest: list[tuple[str, Wish]] = []
    for flag in flags:
        name = " ".join(flag.casefold().split())
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
