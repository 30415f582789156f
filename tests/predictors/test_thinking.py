"""What requests say of thinking, in each dialect's words, and what follows for the forecast."""

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog import ModelProfile, Pool, PoolEntry
from catalog.profiles.price import Price
from predictors import Forecaster, Query, Thinking, read_query
from predictors.thinking import read_thinking

HIGH = Thinking(effort="high")
OFF = Thinking(effort="off")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"messages": []}, None),
        ({"reasoning": {"summary": "auto"}}, None),
        ({"reasoning_effort": "default"}, None),
        ({"chat_template_kwargs": {"add_generation_prompt": True}}, None),
        ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, Thinking(effort="medium", budget_tokens=2048)),
        ({"thinking": {"type": "adaptive"}}, Thinking(effort="medium")),
        ({"thinking": {"type": "adaptive"}, "reasoning_effort": "high"}, HIGH),
        ({"reasoning_effort": "high"}, HIGH),
        ({"reasoning_effort": "xhigh"}, Thinking(effort="max")),
        ({"reasoning": {"effort": "high"}}, HIGH),
        ({"reasoning": {"max_tokens": 500}}, Thinking(effort="medium", budget_tokens=500)),
        ({"reasoning": {"enabled": True}}, Thinking(effort="medium")),
        ({"enable_thinking": True, "thinking_budget": 64}, Thinking(effort="medium", budget_tokens=64)),
        ({"chat_template_kwargs": {"enable_thinking": True}}, Thinking(effort="medium")),
        ({"reasoning_effort": "none"}, OFF),
        ({"reasoning_effort": "minimal"}, OFF),
        ({"reasoning": {"effort": "none"}}, OFF),
        ({"thinking": {"type": "disabled"}}, OFF),
        ({"thinking": {"type": "disabled"}, "reasoning_effort": "high"}, OFF),
        ({"enable_thinking": False}, OFF),
        ({"chat_template_kwargs": {"thinking": False}}, OFF),
        ({"reasoning": {"max_tokens": 0}}, OFF),
    ],
)
def test_every_dialect_is_understood(body: dict[str, Any], told: Thinking | None) -> None:
    assert read_thinking(body) == told
    assert read_query({"messages": [{"role": "user", "content": "Why?"}], **body}).thinking == told


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["high", "none", "enabled", "?"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["type", "effort", "budget_tokens", "max_tokens", "enable_thinking"]), inner)
    ),
    max_leaves=6,
)
KEYS = st.sampled_from(["thinking", "reasoning", "reasoning_effort", "enable_thinking", "chat_template_kwargs"])


@given(st.dictionaries(KEYS, ODD))
def test_whatever_stands_there_raises_nothing(body: dict[str, Any]) -> None:
    told = read_thinking(body)
    assert told is None or Thinking.of_facts(told.facts()) == told


@pytest.mark.parametrize("facts", [None, 3, {}, {"effort": "heroic"}, {"effort": ["low"]}])
def test_a_journal_that_tells_nothing_of_thinking_tells_nothing(facts: object) -> None:
    assert Thinking.of_facts(facts) is None


def _model(owner: str, *, thinks: bool, most: int | None = None) -> PoolEntry:
    able = frozenset({"streaming", "reasoning"} if thinks else {"streaming"})
    price = Price(input_usd_per_mtok=Decimal(1), output_usd_per_mtok=Decimal(10))
    return PoolEntry(
        profile=ModelProfile(
            id=f"{owner}/m", name="m", capabilities=able, price=price, max_output_tokens=most, params_total_b=30.0
        )
    )


PLAIN, CLAUDE, THINKER, SHORT = range(4)
POOL = Pool(
    [
        _model("meta-llama", thinks=False),
        _model("anthropic", thinks=True),
        _model("qwen", thinks=True),
        _model("z-ai", thinks=True, most=700),
    ]
)
BOUND = Forecaster.load().bind(POOL)


def _asked(text: str = "Why is the sky blue?", thinking: Thinking | None = None, most: int | None = None) -> Query:
    return Query(text=text, input_tokens=10, thinking=thinking, max_output_tokens=most)


@given(
    text=st.text(max_size=60),
    most=st.none() | st.integers(1, 100_000),
    budget=st.none() | st.integers(1, 100_000),
)
def test_asking_to_think_takes_nothing_away_and_more_effort_adds(
    text: str, most: int | None, budget: int | None
) -> None:
    untold = BOUND.forecast(_asked(text, most=most))
    ladder = [
        BOUND.forecast(_asked(text, Thinking(effort=effort, budget_tokens=budget), most))
        for effort in ("off", "low", "medium", "high", "max")
    ]
    for amount in ("output_tokens", "cost_usd", "latency_s"):
        rungs = [getattr(forecast, amount) for forecast in ladder]
        usual = getattr(untold, amount)
        for less, more in pairwise(rungs):
            assert (more >= less * (1 - 1e-6)).all()
        for told in rungs[1:]:
            assert (told[[PLAIN, CLAUDE]] >= usual[[PLAIN, CLAUDE]] * (1 - 1e-6)).all()
        assert (rungs[0] <= usual * (1 + 1e-6)).all()
        if budget is None:  # who thinks anyway does so as much as when told to think as usual
            assert (rungs[2] >= usual * (1 - 1e-6)).all()
    if most is not None:
        assert all((forecast.output_tokens <= max(most, 1) * (1 + 1e-6)).all() for forecast in ladder)
    if budget is not None:
        assert (ladder[4].output_tokens <= ladder[0].output_tokens + budget + _unsure(untold, ladder[0])).all()


def _unsure(untold: Any, off: Any) -> Any:
    """Claude, told nothing, thinks a little in the mean: what a budget is added to."""
    return (untold.output_tokens - off.output_tokens).clip(0) * [0, 1, 0, 0] + 1e-6 * untold.output_tokens


def test_claude_is_told_over_five_times_as_long_when_told_to_think_and_a_thinker_that_much_less_when_told_not_to() -> (
    None
):
    untold, told, off = (BOUND.forecast(_asked(thinking=one)) for one in (None, Thinking(effort="medium"), OFF))
    assert told.output_tokens[CLAUDE] > 5 * untold.output_tokens[CLAUDE]
    assert told.cost_usd[CLAUDE] > 4 * untold.cost_usd[CLAUDE]
    assert off.output_tokens[THINKER] < untold.output_tokens[THINKER] / 5
    assert off.output_tokens[THINKER] == pytest.approx(off.output_tokens[PLAIN], rel=0.01)
    assert told.output_tokens[THINKER] == pytest.approx(untold.output_tokens[THINKER])
    assert told.output_tokens[PLAIN] == off.output_tokens[PLAIN] == untold.output_tokens[PLAIN]


def test_a_budget_of_a_hundred_tokens_adds_a_hundred_tokens() -> None:
    untold = BOUND.forecast(_asked())
    held = BOUND.forecast(_asked(thinking=Thinking(effort="high", budget_tokens=100)))
    assert held.output_tokens[CLAUDE] == pytest.approx(untold.output_tokens[CLAUDE] + 100)


def test_requests_of_one_turn_are_forecast_as_if_alone() -> None:
    asked = [_asked(), _asked(thinking=HIGH), _asked(thinking=OFF, most=50), _asked(most=50)]
    together = BOUND.forecasts(asked)
    for at, one in enumerate(asked):
        alone = BOUND.forecast(one)
        assert together.output_tokens[at] == pytest.approx(alone.output_tokens, rel=1e-12)
        assert together.cost_usd_sd[at] == pytest.approx(alone.cost_usd_sd, rel=1e-12)
