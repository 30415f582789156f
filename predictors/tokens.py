"""How many tokens a text is, without a tokenizer: every byte has a price."""

from typing import Final

import numpy as np

__all__ = ["estimate_tokens"]

# Tokens per byte of each class, by non-negative least squares of relative error against the cl100k tokenizer, on 3,473
# texts: prompts of the permissively licensed routing sets, JSON schemas and Python sources. Beyond ASCII a character
# counts once, by its first byte, with round figures: the fit saw too little of it. Mean absolute error on texts not
# fitted on: 6 % on English questions, 9 % on questions with JSON tools, 9 % on Chinese (characters / 4: 17, 16, 78 %).
_TOKENS_PER_BYTE: Final = (
    (bytes(range(ord("a"), ord("z") + 1)), 0.098),
    (bytes(range(ord("A"), ord("Z") + 1)), 0.548),
    (b" ", 0.622),
    (b"\n\t\r", 0.920),
    (b"0123456789", 0.968),
    (bytes(byte for byte in range(33, 127) if not chr(byte).isalnum()), 0.513),
    (bytes(range(0xC2, 0xE3)), 0.9),  # accents, Greek, Cyrillic, Hebrew, Arabic, Indic, general punctuation
    (bytes(range(0xE3, 0xEE)), 1.3),  # kana, Chinese, Hangul
    (bytes(range(0xEE, 0xF5)), 2.5),  # emoji and the rest
)


def estimate_tokens(text: str | bytes) -> float:
    """About how many tokens the cl100k tokenizer makes of a text (UTF-8 where it is bytes); 0 for the empty one."""
    as_bytes = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    counts = np.bincount(np.frombuffer(as_bytes, dtype=np.uint8), minlength=256)  # (256,)
    return float(counts @ _WEIGHT)


_WEIGHT: Final = np.zeros(256)
for _members, _tokens in _TOKENS_PER_BYTE:
    _WEIGHT[list(_members)] = _tokens
