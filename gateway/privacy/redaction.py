"""Personal data out of a request and back into its answer: `jane@example.com` travels as `[EMAIL_1]`.

Equal values get equal placeholders, numbered in order of appearance, so that a growing conversation keeps its prefix
and the provider's cache its worth. Signed reasoning stays as it is in both directions: its author would refuse it.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .detection import find_personal

__all__ = ["Redaction"]

_PLACEHOLDER = re.compile(r"\[[A-Z]+_\d+\]")

_TEXTS = ("name", "refusal", "reasoning_content", "reasoning")  # of a message; its content has a form of its own
_TEXTS_OF_PARTS = ("text", "refusal")


class Redaction:
    """Of one request: remembers which placeholder stands for what."""

    def __init__(self, *, region: str | None = None, taken: str = "") -> None:
        """`taken` is the whole request: a placeholder that occurs in it is nobody's."""
        self._region, self._taken = region, frozenset(_PLACEHOLDER.findall(taken))
        self._placeholders: dict[str, str] = {}  # value -> placeholder
        self._values: dict[str, str] = {}  # and back
        self._next: dict[str, int] = {}
        self._pattern: re.Pattern[str] | None = None

    @property
    def found(self) -> bool:
        """There was something."""
        return bool(self._values)

    @property
    def placeholders(self) -> tuple[str, ...]:
        """Those in use."""
        return tuple(self._values)

    def redacted(self, text: str) -> str:
        """The text without personal data."""
        out, at = [], 0
        for finding in find_personal(text, region=self._region):
            out += [text[at : finding.start], self._placeholder(finding.kind, text[finding.start : finding.end])]
            at = finding.end
        return "".join([*out, text[at:]]) if out else text

    def messages(self, messages: Sequence[Any]) -> list[Any]:
        """Chat messages without personal data in their texts and tool calls."""
        return [self._message(message) if isinstance(message, Mapping) else message for message in messages]

    def restored(self, text: str, *, in_json: bool = False) -> str:
        """The text with every placeholder's value; escaped where the text is JSON, such as a tool call's arguments."""
        if not self._values or "[" not in text:
            return text
        if self._pattern is None:
            self._pattern = re.compile("|".join(map(re.escape, self._values)))
        return self._pattern.sub(lambda found: self._value(found[0], in_json), text)

    def _value(self, placeholder: str, in_json: bool) -> str:  # noqa: FBT001 - private, and named at the one call
        value = self._values[placeholder]
        return json.dumps(value, ensure_ascii=False)[1:-1] if in_json else value

    def _placeholder(self, kind: str, value: str) -> str:
        if value not in self._placeholders:
            number = self._next.get(kind, 1)
            while f"[{kind}_{number}]" in self._taken:
                number += 1
            self._next[kind] = number + 1
            placeholder = f"[{kind}_{number}]"
            self._placeholders[value], self._values[placeholder], self._pattern = placeholder, value, None
        return self._placeholders[value]

    def _message(self, message: Mapping[str, Any]) -> dict[str, Any]:
        out = dict(message)
        content = message.get("content")
        if isinstance(content, str):
            out["content"] = self.redacted(content)
        elif isinstance(content, list):
            out["content"] = [self._part(part) for part in content]
        for call_key in ("tool_calls", "function_call"):
            if message.get(call_key):
                out[call_key] = self._deep(message[call_key])
        return out | self._texts(message, _TEXTS)

    def _part(self, part: Any) -> Any:  # noqa: ANN401 - any JSON
        if not isinstance(part, Mapping):
            return part
        told = {**part, **self._texts(part, _TEXTS_OF_PARTS)}
        if isinstance(file := part.get("file"), Mapping):
            told["file"] = {**file, **self._texts(file, ("filename",))}
        return told

    def _texts(self, holder: Mapping[str, Any], names: Sequence[str]) -> dict[str, str]:
        return {name: self.redacted(text) for name in names if isinstance(text := holder.get(name), str)}

    def _deep(self, value: Any) -> Any:  # noqa: ANN401 - any JSON
        if isinstance(value, str):
            return self.redacted(value)
        if isinstance(value, Mapping):
            return {key: child if key in {"id", "type"} else self._deep(child) for key, child in value.items()}
        return [self._deep(child) for child in value] if isinstance(value, list) else value
