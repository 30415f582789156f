from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.gateway import running
from tests.gateway.governance.test_governor import make_key
from tests.gateway.running import CHAT, HI, pair
from tests.gateway.tools.offers import function

pytestmark = pytest.mark.loopback


def calling(arguments: str, name: str = "search") -> dict[str, Any]:
    return {"tool_calls": [{"id": "c1", "type": "function", "function": {"name": name, "arguments": arguments}}]}


def asked(model: str = "cheap", **tools: Any) -> dict[str, Any]:
    return {"model": model, "messages": HI, "tools": [function("search")], "routing": {"tools": tools}}


@pytest.fixture(autouse=True)
def able(monkeypatch: pytest.MonkeyPatch) -> None:
    """The models of the running gateway can call tools; the cheap one is the riskier agent."""
    able = frozenset({"streaming", "tools"})
    monkeypatch.setattr(running, "STRONG", replace(running.STRONG, capabilities=able, agent_risk=0.1))
    monkeypatch.setattr(running, "CHEAP", replace(running.CHEAP, capabilities=able, agent_risk=0.6))


async def test_an_invalid_call_is_asked_for_again_with_what_was_wrong(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, _, cheap):
        cheap.answer_with(calling("{}"), finish_reason="tool_calls")
        cheap.answer_with(calling('{"query": "x"}'), finish_reason="tool_calls")
        answer = await gateway.client.post(CHAT, json=asked(repair="repair"))
        (call,) = answer.json()["choices"][0]["message"]["tool_calls"]
        assert call["function"]["arguments"] == '{"query": "x"}'
        assert answer.headers["x-paretogate-tool-calls"] == "repair"
        assert "'query' is a required property" in cheap.requests[1]["messages"][-1]["content"]
        costs = [outcome["cost_usd"] for outcome in gateway.journal.of("outcome")]
        assert len(costs) == 2
        assert float(answer.headers["x-paretogate-cost-usd"]) == pytest.approx(sum(costs))


async def test_a_call_that_stays_invalid_is_passed_on_and_said_to_be(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, _, cheap):
        for _ in range(2):
            cheap.answer_with(calling("{}"), finish_reason="tool_calls")
        answer = await gateway.client.post(CHAT, json=asked(repair="repair"))
        assert answer.headers["x-paretogate-tool-calls"] == "invalid"
        assert len(cheap.requests) == 2


async def test_an_invalid_call_goes_to_a_stronger_model_where_that_is_wished(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, strong, cheap):
        cheap.answer_with(calling("{}"), finish_reason="tool_calls")
        strong.answer_with(calling('{"query": "x"}'), finish_reason="tool_calls")
        body = asked("auto:cheap", repair="escalate")
        answer = await gateway.client.post(CHAT, json=body)
        assert (len(cheap.requests), len(strong.requests)) == (1, 1), answer.text
        assert answer.headers["x-paretogate-tool-calls"] == "escalate"
        assert answer.json()["model"] == "maker/strong"


async def test_who_named_the_model_is_not_sent_to_another(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, strong, cheap):
        cheap.answer_with(calling("{}"), finish_reason="tool_calls")
        answer = await gateway.client.post(CHAT, json=asked(repair="escalate"))
        assert (len(cheap.requests), len(strong.requests)) == (1, 0)
        assert answer.headers["x-paretogate-tool-calls"] == "invalid"


async def test_a_valid_call_is_not_asked_for_again(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, _, cheap):
        cheap.answer_with(calling('{"query": "x"}'), finish_reason="tool_calls")
        answer = await gateway.client.post(CHAT, json=asked(repair="repair"))
        assert len(cheap.requests) == 1
        assert "x-paretogate-tool-calls" not in answer.headers


async def test_a_call_is_refined_until_it_repeats(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, _, cheap):
        for query in ("a", "b", "b", "c"):
            cheap.answer_with(calling(f'{{"query": "{query}"}}'), finish_reason="tool_calls")
        answer = await gateway.client.post(CHAT, json=asked(refine=5))
        assert answer.headers["x-paretogate-tool-rounds"] == "3"  # a, b, and b again
        (call,) = answer.json()["choices"][0]["message"]["tool_calls"]
        assert call["function"]["arguments"] == '{"query": "b"}'


async def test_refinement_ends_at_its_bound(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, _, cheap):
        for query in "abcdef":
            cheap.answer_with(calling(f'{{"query": "{query}"}}'), finish_reason="tool_calls")
        await gateway.client.post(CHAT, json=asked(refine=2))
        assert len(cheap.requests) == 3


async def test_an_answer_without_calls_is_not_refined(tmp_path: Path) -> None:
    async with pair(tmp_path) as (gateway, _, cheap):
        await gateway.client.post(CHAT, json=asked(refine=2))
        assert len(cheap.requests) == 1


async def test_further_questions_are_asked_as_long_as_the_budget_lasts(tmp_path: Path) -> None:
    key = make_key(tmp_path, budget_usd_per_day=0.005)  # a question is expected to take 0.002
    async with pair(tmp_path) as (gateway, _, cheap):
        for query in "abcdefgh":
            cheap.answer_with(calling(f'{{"query": "{query}"}}'), finish_reason="tool_calls")
        answer = await gateway.client.post(CHAT, json=asked(refine=8), headers=key)
        assert (answer.status_code, len(cheap.requests)) == (200, 2), answer.text
        (call,) = answer.json()["choices"][0]["message"]["tool_calls"]
        assert call["function"]["arguments"] == '{"query": "b"}'  # what was refined before is not taken back
        spent = sum(outcome["cost_usd"] or 0 for outcome in gateway.journal.of("outcome"))
        assert float(answer.headers["x-paretogate-cost-usd"]) == pytest.approx(spent)


@pytest.mark.parametrize("wish", [{"refine": 2}, {"repair": "repair"}, {"repair": "escalate"}])
async def test_a_stream_can_be_neither_refined_nor_repaired(tmp_path: Path, wish: dict[str, Any]) -> None:
    async with pair(tmp_path) as (gateway, _, _):
        refused = await gateway.client.post(CHAT, json={**asked(**wish), "stream": True})
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, f"routing.tools.{next(iter(wish))}")


async def test_a_deployment_that_repairs_leaves_streams_as_they_are(tmp_path: Path) -> None:
    async with pair(tmp_path, settings={"tools": {"repair": "repair"}}) as (gateway, _, cheap):
        cheap.answer_with(calling("{}"), finish_reason="tool_calls")
        answer = await gateway.client.post(CHAT, json={**asked(), "stream": True})
        assert (answer.status_code, len(cheap.requests)) == (200, 1), answer.text


async def test_risky_tools_go_only_to_models_that_are_trusted_with_them(tmp_path: Path) -> None:
    settings = {"tools": {"max_agent_risk": 0.3, "risk": {"search": "destroys"}}}
    async with pair(tmp_path, settings=settings) as (gateway, strong, cheap):
        answer = await gateway.client.post(CHAT, json=asked("auto:cheap"))
        assert (len(strong.requests), len(cheap.requests)) == (1, 0), answer.text
        assert answer.headers["x-paretogate-tool-risk"] == "destroys"


async def test_tools_that_nobody_called_risky_go_to_whoever_is_best(tmp_path: Path) -> None:
    async with pair(tmp_path, settings={"tools": {"max_agent_risk": 0.3}}) as (gateway, _, cheap):
        answer = await gateway.client.post(CHAT, json=asked("auto:cheap"))
        assert len(cheap.requests) == 1
        assert answer.headers["x-paretogate-tool-risk"] == "unknown"
