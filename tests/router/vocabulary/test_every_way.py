"""Whatever can be demanded or preferred, and however it is said: the same options, and so the same decision."""

from datetime import date
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog import CAPABILITIES, DeploymentTier, PrivacyTier
from predictors import read_query
from router import InvalidRoutingError, NoEligibleModelError, Reading, read_options
from router.vocabulary.prompt_flags import FLAG_GOALS
from router.vocabulary.wish import REQUIRE_KEYS
from router.wishes.goals import GOALS
from tests.router.examples import three_model_router

_amounts = st.floats(0, 1e4).map(lambda x: round(x, 6))
_shares = st.floats(0.01, 0.99).map(lambda x: round(x, 4))
_days = st.dates(date(2020, 1, 1), date(2026, 1, 1)).map(date.isoformat)


def _some(*names: str) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(sorted(names)), min_size=1, max_size=3, unique=True)


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "max_cost_usd": _amounts,
    "max_price_usd_per_mtok.input": _amounts,
    "max_price_usd_per_mtok.output": _amounts,
    "max_latency_s": _amounts,
    "max_ttft_s": _amounts,
    "min_quality": _shares,
    "confidence": _shares,
    "max_params_b": _amounts,
    "max_active_params_b": _amounts,
    "released_after": _days,
    "knowledge_after": _days,
    "licenses": _some("apache-2.0", "mit", "llama3", "proprietary", "commercial"),
    "providers": _some("meadow", "hill", "peak"),
    "exclude_providers": _some("elsewhere", "hill"),
    "regions": _some("eu", "us", "eu-west-1"),
    "privacy": st.sampled_from(get_args(PrivacyTier)),
    "tiers": _some(*get_args(DeploymentTier)),
    "capabilities": _some(*CAPABILITIES),
    "min_context": st.integers(1, 1_000_000),
    "max_energy_wh": _amounts,
    "max_risk": _amounts,
    "max_agent_risk": _shares,
    "quantizations": _some("int4", "fp8", "bf16"),
}


def read(prompt: str = "hi", *, headers: dict[str, str] | None = None, flags: bool = True, **body: object) -> Reading:
    messages = [{"role": "user", "content": prompt}]
    return read_options(
        model="auto",
        body={"model": "auto", "messages": messages, **body},
        headers=headers or {},
        allow_prompt_flags=flags,
    )


def as_object(require: dict[str, Any]) -> dict[str, Any]:
    """As the body says it: prices are an object of their own."""
    said: dict[str, Any] = {}
    for key, value in require.items():
        group, dot, name = key.partition(".")
        if dot:
            said.setdefault(group, {})[name] = value
        else:
            said[key] = value
    return said


def as_text(key: str, value: object) -> str:
    return f"{key}={', '.join(value) if isinstance(value, list) else value}"


def decided(reading: Reading, prompt: str = "hi") -> object:
    """What the predictors were shown, and the decision, or who was rejected for what."""
    query = read_query({"messages": [{"role": "user", "content": prompt}], **reading.replaced})
    try:
        decision = three_model_router().decide(query, reading.options, rng=np.random.default_rng(0))
    except NoEligibleModelError as exc:
        return query, str(exc)
    return query, decision.ranking, decision.front, decision.screening.constraints, repr(decision.utility.tolist())


def test_every_demand_there_is_is_tried_here() -> None:
    assert {key.partition(".")[0] for key in VALUES} == set(REQUIRE_KEYS)


@given(st.fixed_dictionaries({}, optional=VALUES))
def test_a_demand_means_the_same_in_the_body_in_a_header_and_in_the_prompt(require: dict[str, Any]) -> None:
    if set(require.get("providers", ())) and set(require["providers"]) <= set(require.get("exclude_providers", ())):
        return  # contradicts itself, which is refused everywhere
    lines = [as_text(key, value) for key, value in require.items()]
    flagged = "hi" + "".join(f" [Flag: {line}]" for line in lines)
    said = [
        read(routing={"require": as_object(require)}),
        read(headers={"x-paretogate-require": "; ".join(lines)}) if lines else read(),
        read(flagged),
    ]
    assert all(reading.options == said[0].options for reading in said)
    assert decided(said[0]) == decided(said[1]) == decided(said[2], flagged)


@pytest.mark.parametrize(("flag", "goal"), FLAG_GOALS.items())
def test_a_flag_is_the_goal_at_the_weight_of_quality(flag: str, goal: str) -> None:
    flagged, weighed = read(f"hi [Flag: {flag}]"), read(routing={"weights": {goal: 1.0}})
    assert flagged.options == weighed.options
    assert decided(flagged, f"hi [Flag: {flag}]") == decided(weighed)


@given(st.dictionaries(st.sampled_from(GOALS), _amounts, max_size=4))
def test_weights_read_back_as_they_were_said(weights: dict[str, float]) -> None:
    assert dict(read(routing={"weights": weights}).options.weights) == weights


@pytest.mark.parametrize(
    "flag", ["", "x" * 201, "max_cost_usd", "max_cost_usd=", "no such thing", "policy=", "policy=x"]
)
def test_a_flag_that_cannot_be_obeyed_is_refused_and_not_passed_on(flag: str) -> None:
    with pytest.raises(InvalidRoutingError):
        read(f"hi [Flag: {flag}]")


def test_flags_of_a_completions_prompt_are_obeyed_and_taken_out_too() -> None:
    one = read_options(model="auto", body={"prompt": "Once [Flag: concise] upon"}, headers={}, allow_prompt_flags=True)
    assert (one.prompt, dict(one.options.weights)) == ("Once upon", {"verbosity": 1.0})
    several = read_options(
        model="auto", body={"prompt": ["a [flag: cheapest]", "b", [1, 2]]}, headers={}, allow_prompt_flags=True
    )
    assert several.prompt == ["a", "b", [1, 2]]


def test_a_wall_of_blanks_costs_no_time_worth_speaking_of() -> None:
    reading = read(" " * 200_000 + "[flag: concise]")  # took minutes when the blanks were part of the pattern
    assert reading.messages == [{"role": "user", "content": ""}]
