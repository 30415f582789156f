"""How hard a Claude shall think: an effort where the model knows efforts, a budget of tokens where it does not.

Source: Anthropic's documentation, Extended thinking, Adaptive thinking and Effort.
"""

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["SAMPLING", "answers_in_json", "budget_of", "can_be_led", "fitted_to", "most_tokens", "think"]

_VERSION = re.compile(r"claude-(?:[a-z]+-)?(\d{1,2})(?:[-.](\d{1,2}))?(?!\d)")
_BUDGETS = {"low": 2_048, "medium": 8_192, "high": 24_576, "xhigh": 31_999, "max": 31_999}
_LEAST_BUDGET = 1_024
_ADAPTIVE_SINCE, _BUDGETS_SINCE, _JSON_SINCE = (4, 6), (3, 7), (4, 5)
_FREE_SINCE = (4, 7)  # of temperatures and budgets, which it refuses
_EITHER_SINCE = (4, 1)  # a temperature or a share of the likeliest words, not both
_UNLED_SINCE = (4, 6)  # an answer cannot be begun for it
SAMPLING = ("temperature", "top_k", "top_p")
_NEWEST = (99, 0)  # what bears no number that we can read is taken for a new model
_USUAL_MOST, _OLD_MOST = 32_000, {(3, 0): 4_096, (3, 5): 8_192}


def most_tokens(model_name: str) -> int:
    """How long an answer may be where nobody said: as long as every model of that age can.

    Anthropic wants to be told; what is not used costs nothing, and an answer that is cut short is worth little.
    """
    return _OLD_MOST.get(_version(model_name), _USUAL_MOST)


def can_be_led(model_name: str) -> bool:
    """Whether the model goes on with an answer that was begun for it."""
    return _version(model_name) < _UNLED_SINCE


def answers_in_json(model_name: str) -> bool:
    """Whether the model has structured outputs."""
    return _version(model_name) >= _JSON_SINCE


def budget_of(effort: object, *, most: int) -> int | None:
    """Tokens to think with, within an answer of at most `most`; None where there is no room, or nothing to think."""
    budget = min(_BUDGETS.get(str(effort), 0), most - 1)
    return budget if budget >= _LEAST_BUDGET else None


def think(body: dict[str, Any], effort: object) -> None:
    """Let the model think so hard. Thoughts are free of temperatures, and no call of a tool can be forced on them."""
    version = _version(str(body["model"]))
    asked = body.get("thinking")
    if effort in (None, "none", "minimal") and asked is None:
        return
    forced = isinstance(choice := body.get("tool_choice"), Mapping) and choice.get("type") in ("any", "tool")
    if effort not in (None, "none", "minimal") and version >= _ADAPTIVE_SINCE:
        body["output_config"] = {**body.get("output_config", {}), "effort": effort}
        body.setdefault("thinking", {"type": "adaptive"})
    elif asked is None and version >= _BUDGETS_SINCE:
        budget = budget_of(effort, most=body["max_tokens"])
        if budget is not None:
            body["thinking"] = {"type": "enabled", "budget_tokens": budget}
    if forced or body.get("thinking") is None:
        body.pop("thinking", None)
        return
    for name in SAMPLING:
        body.pop(name, None)


def fitted_to(model_name: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """What differs in the request where this model is asked: None stands for what is to be left out.

    Models since Claude 4.7 sample as they see fit and think as much as they see fit; they refuse to be told. Those
    since 4.1 take a temperature or `top_p`, and refuse both.
    """
    version = _version(model_name)
    if version < _FREE_SINCE:
        both = all(body.get(name) is not None for name in ("temperature", "top_p"))
        return {"top_p": None} if both and version >= _EITHER_SINCE else {}
    thinking = body.get("thinking")
    has_budget = isinstance(thinking, Mapping) and "budget_tokens" in thinking
    differing: dict[str, Any] = {"thinking": {"type": "adaptive"}} if has_budget else {}
    return differing | {name: None for name in SAMPLING if body.get(name) is not None}


def _version(model_name: str) -> tuple[int, int]:
    found = _VERSION.search(model_name)
    if found is None:
        return _NEWEST
    return int(found[1]), int(found[2] or 0)
