"""How hard a request asks models to think before they answer, in whatever words its dialect has for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["Effort", "Thinking", "read_thinking"]

Effort = Literal["off", "low", "medium", "high", "max"]

_EFFORTS: Final[Mapping[object, Effort]] = {
    "none": "off",
    "minimal": "off",  # models that know it write no more with it than without thinking
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "max",
    "max": "max",
}
_USUAL: Final[Effort] = "medium"  # of those who ask for it and say no more
_KEYS: Final = frozenset({"thinking", "reasoning_effort", "reasoning", "enable_thinking", "chat_template_kwargs"})
_SWITCHES: Final[Mapping[object, bool]] = {"enabled": True, "adaptive": True, "between_tools": True, "disabled": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Thinking:
    """What a request says of thinking; one that says nothing has none of these."""

    effort: Effort
    budget_tokens: int | None = None  # the most that may be thought

    def facts(self) -> dict[str, object]:
        """Ready for JSON."""
        return {"effort": self.effort, "budget_tokens": self.budget_tokens}

    @classmethod
    def of_facts(cls, facts: object) -> "Thinking | None":
        """What `facts` told, as a journal has it; None where that is nothing or not understood."""
        told = _mapping(facts)
        effort, budget = told.get("effort"), told.get("budget_tokens")
        known = next((one for one in _EFFORTS.values() if one == effort), None)
        return None if known is None else cls(effort=known, budget_tokens=budget if isinstance(budget, int) else None)


def read_thinking(body: Mapping[str, object]) -> Thinking | None:
    """What a request body in any dialect says of thinking; None where it says nothing that is understood.

    Read are `reasoning_effort`, `reasoning` with `effort`, `max_tokens` or `enabled` (Responses, OpenRouter),
    `thinking` with `type` and `budget_tokens` (Anthropic, DeepSeek, GLM, Kimi), `enable_thinking` with
    `thinking_budget` (Qwen), and `chat_template_kwargs` with `enable_thinking` or `thinking` (vLLM, SGLang). Whoever
    switches it off anywhere has it off.
    """
    if _KEYS.isdisjoint(body):
        return None
    thinking, reasoning = _mapping(body.get("thinking")), _mapping(body.get("reasoning"))
    template = _mapping(body.get("chat_template_kwargs"))
    efforts = _efforts(body.get("reasoning_effort"), reasoning.get("effort"))
    kind = thinking.get("type")
    switches = (
        _SWITCHES.get(kind) if isinstance(kind, str) else None,
        reasoning.get("enabled"),
        body.get("enable_thinking"),
        template.get("enable_thinking"),
        template.get("thinking"),
    )
    budgets = _counts(thinking.get("budget_tokens"), reasoning.get("max_tokens"), body.get("thinking_budget"))
    if "off" in efforts or 0 in budgets or any(switch is False for switch in switches):
        return Thinking(effort="off")
    if efforts or budgets or any(switch is True for switch in switches):
        return Thinking(effort=efforts[0] if efforts else _USUAL, budget_tokens=min(budgets, default=None))
    return None


def _efforts(*told: object) -> list[Effort]:
    return [_EFFORTS[effort] for effort in told if isinstance(effort, str) and effort in _EFFORTS]


def _counts(*told: object) -> list[int]:
    numbers = [one for one in told if isinstance(one, int | float) and not isinstance(one, bool)]
    return [int(number) for number in numbers if 0 <= number < float("inf")]


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}
