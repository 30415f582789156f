"""Which of OpenAI's models reason, by their names: unless told not to, those take no temperature and tell no logprobs.

Source: OpenAI's guide to its latest models, "Parameter compatibility"; litellm's `OpenAIGPT5Config`.
"""

import re

__all__ = ["may_reason", "takes_sampling"]

_REASONING_MODEL = re.compile(r"(?:gpt-(?P<major>\d+)(?:\.(?P<minor>\d+))?(?!-chat)|o\d)(?![\w.])")
_GPT_5 = (5, 0)  # the first GPT that reasons, as do all after it
_REASONS_IF_ASKED = ((5, 1), (5, 4))  # first and last GPT that does not reason unless asked to
_ALWAYS_REASONS = re.compile(r"-(?:pro|codex)\b")


def may_reason(name: str) -> bool:
    """Whether the model that OpenAI knows by this name reasons, if only when it is asked to."""
    if _REASONING_MODEL.match(name) is None:
        return False
    version = _version(name)
    return version is None or version >= _GPT_5


def takes_sampling(name: str, effort: object = None) -> bool:
    """Whether a model takes sampling parameters and tells logprobs, given the effort that is asked of it."""
    if not may_reason(name):
        return True
    if _ALWAYS_REASONS.search(name):
        return False
    if effort is None:
        version = _version(name)
        return version is not None and _REASONS_IF_ASKED[0] <= version <= _REASONS_IF_ASKED[1]
    return effort == "none"


def _version(name: str) -> tuple[int, int] | None:
    """Of a GPT; None for models that are none."""
    found = _REASONING_MODEL.match(name)
    return (int(found["major"]), int(found["minor"] or 0)) if found is not None and found["major"] else None
