"""Chunks of a stream that differ in nothing but the words they carry: known at sight, without parsing them.

Most servers send one chunk per token, and from one to the next only `content` changes. What was parsed once tells how
such a chunk begins and ends; one that begins and ends so, and has a plain JSON string in between, says nothing else.
"""

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["AlikeChunks"]

_CONTENT = re.compile(rb'"content"\s*:\s*"')
_PLAIN = re.compile(rb'[^"\\\x00-\x1f\x7f-\xff]*')  # of a JSON string: nothing escaped, ASCII


class AlikeChunks:
    """Of one stream. Knows nothing until it has learned."""

    def __init__(self) -> None:
        self._begin = self._end = b""

    def learn(self, event: bytes, choices: list[Mapping[str, Any]]) -> None:
        """Take a chunk, which was parsed, as the pattern, where it bears nothing but words of one choice."""
        self.forget()
        if len(choices) != 1 or choices[0].get("finish_reason") is not None:
            return
        delta = choices[0].get("delta")
        if not isinstance(delta, dict) or delta.keys() != {"content"} or event.count(b'"content"') != 1:
            return
        begin = _CONTENT.search(event)
        if begin is None or (words := _PLAIN.match(event, begin.end())) is None:
            return
        self._begin, self._end = event[: begin.end()], event[words.end() :]

    def forget(self) -> None:
        """What comes next may mean something else."""
        self._begin = b""

    def has(self, event: bytes) -> bool:
        """Whether this chunk is like the one that was learned."""
        begin, end = self._begin, self._end
        return (
            begin != b""
            and event.startswith(begin)
            and event.endswith(end)
            and len(event) >= len(begin) + len(end)
            and _PLAIN.fullmatch(event, len(begin), len(event) - len(end)) is not None
        )
