"""How many tokens a text is, without a tokenizer: every byte has a price."""

from typing import Final

import numpy as np

__all__ = ["estimate_tokens"]

# Thousandths of a token per byte of each class, by non-negative least squares of relative error against the cl100k
# tokenizer, on 3,473 texts: prompts of the permissively licensed routing sets, JSON schemas and Python sources. Beyond
# ASCII a character counts once, by its first byte, with round figures: the fit saw too little of it. Mean absolute
# error on texts not fitted on: 6 % on English questions, 9 % on questions with JSON tools, 9 % on Chinese
# (characters / 4: 17, 16, 78 %).
_PER_BYTE: Final = (
    (bytes(range(ord("a"), ord("z") + 1)), 98),
    (bytes(range(ord("A"), ord("Z") + 1)), 548),
    (b" ", 622),
    (b"\n\t\r", 920),
    (b"0123456789", 968),
    (bytes(byte for byte in range(33, 127) if not chr(byte).isalnum()), 513),
    (bytes(range(0xC2, 0xE3)), 900),  # accents, Greek, Cyrillic, Hebrew, Arabic, Indic, general punctuation
    (bytes(range(0xE3, 0xEE)), 1_300),  # kana, Chinese, Hangul
    (bytes(range(0xEE, 0xF5)), 2_500),  # emoji and the rest
)


def estimate_tokens(text: str | bytes) -> float:
    """About how many tokens the cl100k tokenizer makes of a text (UTF-8 where it is bytes); 0 for the empty one."""
    as_bytes = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    codes = np.frombuffer(as_bytes, dtype=np.uint8)
    if len(codes) < _LONG:
        return int(np.bincount(codes, minlength=256).dot(_OF_BYTE)) / 1_000
    pairs = np.frombuffer(as_bytes, dtype=np.uint16, count=len(codes) // 2)
    total = sum(int(_OF_PAIR.take(pairs[at : at + _BLOCK]).sum()) for at in range(0, len(pairs), _BLOCK))
    return (total + int(_OF_BYTE.take(codes[2 * len(pairs) :]).sum())) / 1_000


_LONG: Final = 4_000  # bytes, from which on a table of pairs, which is seldom in a cache, pays
_BLOCK: Final = 32_768  # pairs whose prices stay in a cache; those of 8 MB at once took up to ten times as long
_OF_BYTE: Final = np.array([next((price for members, price in _PER_BYTE if byte in members), 0) for byte in range(256)])
# By two bytes at once, whichever comes first, which halves the time: (65,536,).
_OF_PAIR: Final = np.add.outer(_OF_BYTE, _OF_BYTE).ravel().astype(np.int32)
