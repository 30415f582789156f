"""Personal data out of a request and back into its answer: `jane@example.com` travels as `[EMAIL_1]`.

Equal values get equal placeholders, numbered in order of appearance, so that a growing conversation keeps its prefix
and the provider's cache its worth. Signed reasoning stays as it is in both directions: its author would refuse it.
Where a message has words of which nobody here knows what they are, they are named, and stay as they are.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .detection import find_personal
from .json_texts import is_json, rewritten

__all__ = ["Redaction"]

_PLACEHOLDER = re.compile(r"\[[A-Z]+_\d+\]")

_TEXTS = ("name", "refusal", "reasoning_content", "reasoning")  # of a message; its content has a form of its own
_TEXTS_OF_PARTS = ("text", "refusal")
_CALLS = ("tool_calls", "function_call")
_READ = frozenset({*_TEXTS, *_CALLS, "content", "role", "tool_call_id", "thinking_blocks", "reasoning_details"})
_READ_OF_PARTS = frozenset({*_TEXTS_OF_PARTS, "type", "cache_control", "file", "input_audio", "image_url"})
_DATA_URL = "data:"


class Redaction:
    """Of one request: remembers which placeholder stands for what."""

    def __init__(self, *, region: str | None = None, taken: str = "") -> None:
        """`taken` is the whole request: a placeholder that occurs in it is nobody's."""
        self._region, self._taken = region, frozenset(_PLACEHOLDER.findall(taken))
        self._placeholders: dict[str, str] = {}  # value -> placeholder
        self._values: dict[str, str] = {}  # and back
        self._next: dict[str, int] = {}
        self.unread: list[Any] = []  # values of messages that stay as they are, whatever is in them

    @property
    def found(self) -> bool:
        """There was something."""
        return bool(self._values)

    @property
    def placeholders(self) -> tuple[str, ...]:
        """Those in use."""
        return tuple(self._values)

    def redacted(self, text: str) -> str:
        """The text without personal data; one that is JSON is JSON afterwards."""
        findings = find_personal(text, region=self._region)
        if (findings or "\\" in text) and is_json(text):
            return rewritten(text, self.redacted)
        out, at = [], 0
        for finding in findings:
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
        return _PLACEHOLDER.sub(lambda found: self._value(found[0], in_json), text)

    def _value(self, placeholder: str, in_json: bool) -> str:  # noqa: FBT001 - private, and named at the one call
        if (value := self._values.get(placeholder)) is None:
            return placeholder  # nobody's
        return json.dumps(value, ensure_ascii=False)[1:-1] if in_json else value

    def _placeholder(self, kind: str, value: str) -> str:
        if value not in self._placeholders:
            number = self._next.get(kind, 1)
            while f"[{kind}_{number}]" in self._taken:
                number += 1
            self._next[kind] = number + 1
            placeholder = f"[{kind}_{number}]"
            self._placeholders[value], self._values[placeholder] = placeholder, value
        return self._placeholders[value]

    def _message(self, message: Mapping[str, Any]) -> dict[str, Any]:
        out = dict(message)
        content = message.get("content")
        if isinstance(content, str):
            out["content"] = self.redacted(content)
        elif isinstance(content, list):
            out["content"] = [self._part(part) for part in content]
        for call_key in _CALLS:
            if message.get(call_key):
                out[call_key] = self._deep(message[call_key])
        self.unread += [value for key, value in message.items() if key not in _READ]
        return out | self._texts(message, _TEXTS)

    def _part(self, part: Any) -> Any:  # noqa: ANN401 - any JSON
        if not isinstance(part, Mapping):
            return self._deep(part)
        told = {**part, **self._texts(part, _TEXTS_OF_PARTS)}
        if isinstance(file := part.get("file"), Mapping):
            told["file"] = {**file, **self._texts(file, ("filename",))}
        self.unread += [value for key, value in part.items() if key not in _READ_OF_PARTS]
        picture = part.get("image_url")
        address = picture.get("url") if isinstance(picture, Mapping) else picture
        if isinstance(address, str) and not address.startswith(_DATA_URL):
            self.unread.append(address)
        return told

    def _texts(self, holder: Mapping[str, Any], names: Sequence[str]) -> dict[str, str]:
        return {name: self.redacted(text) for name in names if isinstance(text := holder.get(name), str)}

    def _deep(self, value: Any) -> Any:  # noqa: ANN401 - any JSON
        if isinstance(value, str):
            return self.redacted(value)
        if isinstance(value, Mapping):
            return {key: child if key in {"id", "type"} else self._deep(child) for key, child in value.items()}
        return [self._deep(child) for child in value] if isinstance(value, list) else value
