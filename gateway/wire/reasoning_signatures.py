"""Reasoning that is bound to who wrote it: it may go back to its author, and to nobody else.

Anthropic signs its thinking and refuses a conversation that carries any other, with an error no retry cures
(BerriAI/litellm#32140). Gemini signs its calls, for which other protocols have no place: its signature travels in a
block that only its author can read. Other models do not sign; what they thought is sealed here with their maker's name,
so that a later turn knows whose it is.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

__all__ = [
    "author_of",
    "carries_reasoning",
    "is_sealed",
    "portable",
    "seal",
    "seal_of_call",
    "sealed_blocks",
    "signed_calls",
    "thinking_for",
]

_SEAL = "pg1."
_EXTRA, _OF_CALL = "extra_content", "signature_of_call"
_SIGNER = "anthropic"  # the one maker whose signatures travel in clients' histories
_MAX_SEAL_CHARS = 4 << 20

Block = dict[str, Any]  # {"type": "thinking", "thinking", "signature"} or {"type": "redacted_thinking", "data"}


def seal(author: str, blocks: Sequence[Mapping[str, object]] = ()) -> str:
    """A mark that names the maker of a model, and carries blocks where the protocol has no other place for them."""
    payload: dict[str, object] = {"author": author}
    if blocks:
        payload["blocks"] = list(blocks)
    return _SEAL + base64.urlsafe_b64encode(orjson.dumps(payload)).decode()


def seal_of_call(author: str, call: Mapping[str, Any], call_id: str) -> str | None:
    """A mark that carries the signature of a call (Gemini's, in `extra_content`); None where it bears none."""
    extra = call.get(_EXTRA)
    if not isinstance(extra, Mapping) or not extra:
        return None
    return seal(author, [{"type": _OF_CALL, "call_id": call_id, _EXTRA: extra}])


def author_of(signature: object) -> str | None:
    """Who wrote what bears this signature; None where nobody can tell."""
    if not isinstance(signature, str) or not signature:
        return None
    if not signature.startswith(_SEAL):
        return _SIGNER
    author = _unsealed(signature).get("author")
    return author if isinstance(author, str) else None


def is_sealed(mark: object) -> bool:
    """Whether a mark is of ours, which nobody else can read."""
    return isinstance(mark, str) and mark.startswith(_SEAL)


def sealed_blocks(mark: object) -> list[Block]:
    """The blocks that a mark of ours carries; none where it is another's or carries none."""
    blocks = _unsealed(mark).get("blocks") if isinstance(mark, str) and mark.startswith(_SEAL) else None
    return [block for block in blocks if isinstance(block, dict)] if isinstance(blocks, list) else []


def thinking_for(maker: str, blocks: Sequence[Block]) -> dict[str, object]:
    """The fields with which a model of this maker gets its own thinking back; empty where it is another's.

    The signer gets its blocks as they were (`thinking_blocks`, as litellm reads them), others plain text
    (`reasoning_content`, as DeepSeek and vLLM name it).
    """
    own = [block for block in blocks if _is_own_block(block, maker)]
    if not own:
        return {}
    if maker == _SIGNER:
        return {"thinking_blocks": own}
    if all(_signatures(block) for block in own):
        return {}
    return {"reasoning_content": "".join(str(block.get("thinking", "")) for block in own)}


def signed_calls(maker: str, calls: Sequence[Any], blocks: Sequence[Block]) -> list[Any]:
    """A turn's calls with the signatures that a model of this maker gave them."""
    own = [signature for block in blocks if _is_own_block(block, maker) for signature in _signatures(block)]
    extra = {name: signature.get(_EXTRA) for signature in own if isinstance(name := signature.get("call_id"), str)}
    return [
        {**call, _EXTRA: extra[call["id"]]} if isinstance(call, Mapping) and call.get("id") in extra else call
        for call in calls
    ]


def carries_reasoning(messages: object) -> bool:
    """Is there anything in a chat history that `portable` looks at."""
    return isinstance(messages, list) and any(
        isinstance(message, dict) and ("thinking_blocks" in message or "reasoning_details" in message)
        for message in messages
    )


def portable(messages: object, maker: str) -> object:
    """A chat history without what is bound to other makers than this one; the rest as it was.

    Bound are litellm's `thinking_blocks`, and of OpenRouter's `reasoning_details` those that are signed or encrypted,
    whose `format` begins with the maker's name.
    """
    if not isinstance(messages, list):
        return messages
    return [_portable_message(message, maker) if isinstance(message, dict) else message for message in messages]


def _portable_message(message: Mapping[str, Any], maker: str) -> dict[str, Any]:
    kept = dict(message)
    for field, is_free in (("thinking_blocks", _is_own_block), ("reasoning_details", _is_own_detail)):
        bound = kept.get(field)
        if isinstance(bound, list):
            kept[field] = [item for item in bound if not isinstance(item, dict) or is_free(item, maker)]
            if not kept[field]:
                del kept[field]
    return kept


def _is_own_block(block: Mapping[str, Any], maker: str) -> bool:
    return author_of(block.get("signature") or block.get("data")) == maker


def _signatures(block: Mapping[str, Any]) -> list[Block]:
    return [signature for signature in sealed_blocks(block.get("data")) if signature.get("type") == _OF_CALL]


def _is_own_detail(detail: Mapping[str, Any], maker: str) -> bool:
    if not detail.get("signature") and not detail.get("data"):
        return True
    return str(detail.get("format") or "").partition("-")[0] == maker


def _unsealed(mark: str) -> dict[str, Any]:
    if len(mark) > _MAX_SEAL_CHARS:
        return {}
    try:
        payload = orjson.loads(base64.urlsafe_b64decode(mark.removeprefix(_SEAL)))
    except (ValueError, binascii.Error):  # orjson's complaint is a ValueError too
        return {}
    return payload if isinstance(payload, dict) else {}
