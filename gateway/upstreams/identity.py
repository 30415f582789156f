"""Whether the model that answered is the one that was asked.

A provider that sends requests on to a dearer model, or retires a name without a word, would be billed wrongly for weeks
(RouteWorks/RouterArena#166, #172). Its name is all there is to see of that, and only some differences mean nothing: who
is named as its owner, a version's date, an extension of its file.
"""

import re

__all__ = ["is_same_model"]

_VERSION = re.compile(r"(?:[-@:](?:latest|preview|exp|00\d|\d{4,8}|\d{4}-\d{2}-\d{2}|\d{2}-\d{2,4}|v\d+(?::\d+)?))+")


def is_same_model(asked: str, returned: str) -> bool:
    """`gpt-4o` may answer as `openai/gpt-4o-2024-08-06`, but not as `gpt-4o-mini`, nor one dated version as another."""
    if asked == returned:
        return True
    one, other = _bare(asked), _bare(returned)
    return one == other or _is_version(one, of=other) or _is_version(other, of=one)


def _bare(name: str) -> str:
    return name.lower().rpartition("/")[2].removesuffix(".gguf").removesuffix("-latest").removesuffix(":latest")


def _is_version(name: str, *, of: str) -> bool:
    return bool(of) and name.startswith(of) and _VERSION.fullmatch(name, len(of)) is not None
