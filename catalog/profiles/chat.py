"""Which models answer a text with a text: the only ones that belong in a pool of "all".

Modalities decide where a source states them. Many price lists state none, so that a speech recogniser looks like a
chat model; then the words of its name decide, by the table below. A word counts only as a whole piece of the name
between `-`, `_`, `.` and `:`, so `devstral-audio` is a speech model and `claudio-7b` is not.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from .profile import ModelProfile

__all__ = ["Task", "answers_text", "special_task"]


class Task(NamedTuple):
    """Something other than chat that a model is made for, and what goes in and comes out."""

    name: str
    modalities_in: frozenset[str]
    modalities_out: frozenset[str]


def _task(name: str, takes: str, gives: str) -> Task:
    return Task(name, frozenset({takes}), frozenset({gives}))


_RECOGNITION = _task("speech recognition", "audio", "text")
_SPEECH = _task("speech synthesis", "text", "audio")
_REALTIME = _task("realtime audio", "audio", "audio")
_EMBEDDING = _task("embedding", "text", "embedding")
_RANKING = _task("reranking", "text", "score")
_GUARD = _task("moderation", "text", "label")
_IMAGE = _task("image generation", "text", "image")
_VIDEO = _task("video generation", "text", "video")
_OCR = _task("text recognition", "image", "text")
_TRANSLATION = _task("translation", "text", "text")
_TASKS: Mapping[str, Task] = MappingProxyType(
    {
        **dict.fromkeys(("asr", "whisper", "transcribe", "transcription", "parakeet", "canary", "stt"), _RECOGNITION),
        **dict.fromkeys(("tts", "speech", "music", "lyria"), _SPEECH),
        **dict.fromkeys(("realtime", "live", "audio"), _REALTIME),
        **dict.fromkeys(("embed", "embedding", "embeddings", "nemoretriever", "bge", "gte", "e5"), _EMBEDDING),
        **dict.fromkeys(("rerank", "reranker", "reward"), _RANKING),
        **dict.fromkeys(("guard", "guardian", "safeguard", "moderation", "shieldgemma", "safety"), _GUARD),
        **dict.fromkeys(("image", "imagen", "flux", "dall", "diffusion"), _IMAGE),
        **dict.fromkeys(("video", "veo", "sora"), _VIDEO),
        "ocr": _OCR,
        "mt": _TRANSLATION,
    }
)
_CHAT_ALL_THE_SAME = re.compile(
    r"safety-(?:default|block-none)"  # how a chat model's filters were set in a benchmark
)


def special_task(name: str) -> Task | None:
    """What a model of this name is made for where that is not chat, by the words of its name; None for chat."""
    bare = _CHAT_ALL_THE_SAME.sub("", name.rpartition("/")[2].casefold())
    return next((_TASKS[word] for word in re.split(r"[-_.:\s]+", bare) if word in _TASKS), None)


def answers_text(profile: ModelProfile) -> bool:
    """Does it take text in, give text out, and do more than one trade?

    Stated modalities can only exclude: a recogniser that a price list calls text-to-text stays out by its name.
    """
    if "text" not in profile.modalities_in or "text" not in profile.modalities_out:
        return False
    return special_task(profile.id) is None
