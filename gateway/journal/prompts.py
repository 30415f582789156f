"""How much of a prompt the journal may keep: nothing, a digest, the text without personal data, or all of it."""

import hashlib
import re
from collections.abc import Mapping
from typing import Literal

__all__ = ["PromptKeeping", "keep_prompt", "redact"]

PromptKeeping = Literal["off", "hash", "redacted", "full"]

# A floor, not a detector of names or addresses: what has a shape is replaced by the name of its shape.
# The order matters: a key or an e-mail address may contain what looks like a number. Each takes time in proportion to
# the text, whatever it is. Ends are told by ASCII alone, since some languages write no spaces.
_SHAPES = (
    ("secret", re.compile(r"\b(?:sk|pk|rk|ghp|gho|xox[abp]|AKIA|AIza|hf|eyJ)[-_A-Za-z0-9.]{12,}", re.ASCII)),
    ("email", re.compile(r"(?<![\w.+-])[\w.+-]++(?:@|%40)[\w-]++\.[\w.-]+\b")),
    ("iban", re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}\b", re.ASCII)),
    ("ip", re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b", re.ASCII)),
    ("card", re.compile(r"\b\d(?:[ -]?\d){12,18}\b", re.ASCII)),
    ("phone", re.compile(r"(?<!\w)\+?\d[\d ()/-]{6,}\d\b", re.ASCII)),
)


def keep_prompt(record: Mapping[str, object], keeping: PromptKeeping) -> Mapping[str, object]:
    """The record with `query.text` kept as far as allowed.

    `hash` adds `text_sha256`, by which equal prompts can be recognised; a short prompt can be guessed back from it.
    """
    query = record.get("query")
    if keeping == "full" or not isinstance(query, dict) or "text" not in query:
        return record
    rest: dict[str, object] = {name: value for name, value in query.items() if name != "text"}
    text = query["text"]
    if isinstance(text, str):
        if keeping == "hash":
            rest["text_sha256"] = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
        elif keeping == "redacted":
            rest["text"] = redact(text)
    return {**record, "query": rest}


def redact(text: str) -> str:
    """Replace what has the shape of a secret, an e-mail address, an account, a card, an address or a phone number."""
    for name, shape in _SHAPES:
        text = shape.sub(f"[{name}]", text)
    return text
