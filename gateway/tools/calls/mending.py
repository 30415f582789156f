"""Tool calls asked for again: while they break their schema, or until the model says the same twice.

Self-refinement follows ToolACE-R (Zeng et al., arXiv 2504.01400), of which the abstract alone was read, so that the
loop is reconstructed: the model is shown its call and asked whether it stands, until the canonical call repeats. How
many rounds that takes is recorded, as a sign of how hard the request was.
"""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import orjson

from catalog import ParetoGateError
from gateway.dispatch import Call
from gateway.tools.metrics import ToolMetrics
from gateway.tools.offered.wishes import ToolWishes
from gateway.tools.trail import ToolTrail
from gateway.wire.answer import ChatAnswer
from gateway.wire.body import ChatRequest

from .checking import CallFault, calls_of, canonical, faults_of

__all__ = ["AskAgain", "mended"]


class AskAgain(Protocol):
    """Asks one backend the same request with other messages, journalled as a decision of its own."""

    def __call__(self, request: ChatRequest, *, backend_id: str) -> Awaitable[tuple[Call, ChatAnswer]]:
        """The further call and its answer."""
        ...


async def mended(
    call: Call, answer: ChatAnswer, wishes: ToolWishes, trail: ToolTrail, *, ask: AskAgain, metrics: ToolMetrics
) -> ChatAnswer:
    """The answer with which the client is served; what the further ones cost and took is added to the call.

    A further question that fails leaves the answer there is.
    """
    try:
        if wishes.repair != "off":
            answer = await _valid(call, answer, wishes, trail, ask=ask, metrics=metrics)
        if wishes.refine and calls_of(answer):
            answer = await _settled(call, answer, wishes, trail, ask=ask, metrics=metrics)
    except ParetoGateError:  # nobody answers, or the key's budget does not pay for it
        metrics.mended("failed")
    return answer


async def _valid(
    call: Call, answer: ChatAnswer, wishes: ToolWishes, trail: ToolTrail, *, ask: AskAgain, metrics: ToolMetrics
) -> ChatAnswer:
    """One try more where calls break their schema: by the same model with the fault told, or by a stronger one."""
    tools = call.request.body.get("tools") or ()
    faults = await asyncio.to_thread(faults_of, calls_of(answer), tools)
    if not faults:
        return answer
    trail.invalid = sorted({f"{fault.tool}: {fault.keyword}" for fault in faults})
    stronger = _stronger(call) if wishes.repair == "escalate" else None
    if wishes.repair == "escalate" and stronger is None:
        metrics.mended("given_up")
        return answer
    backend_id = stronger or _backend_id(call)
    request = _with_note(call, None if stronger is not None else _complaint(answer, faults))
    again = await _asked(call, request, backend_id, ask)
    called = calls_of(again[1])
    if not called or len(await asyncio.to_thread(faults_of, called, tools)):
        metrics.mended("given_up")
        return answer
    trail.mended_by = wishes.repair
    metrics.mended(wishes.repair)
    call.entry = again[0].entry
    return again[1]


async def _settled(
    call: Call, answer: ChatAnswer, wishes: ToolWishes, trail: ToolTrail, *, ask: AskAgain, metrics: ToolMetrics
) -> ChatAnswer:
    """Asked until the canonical call repeats, within the bound; a round that fails takes nothing back."""
    trail.rounds, trail.repeated = 1, False
    for _ in range(wishes.refine):
        before = canonical(calls_of(answer))
        try:
            _, again = await _asked(call, _with_note(call, _question(answer)), _backend_id(call), ask)
        except ParetoGateError:
            metrics.mended("failed")
            break
        trail.rounds += 1
        if not calls_of(again):
            break  # it gave up calling; the call that it made stands
        answer, trail.repeated = again, canonical(calls_of(again)) == before
        if trail.repeated:
            break
    return answer


async def _asked(call: Call, request: ChatRequest, backend_id: str, ask: AskAgain) -> tuple[Call, ChatAnswer]:
    """One question more; its cost, tokens and waiting are the call's."""
    further, answer = await ask(request, backend_id=backend_id)
    call.waited_s += further.waited_s
    known = call.cost_usd is not None and further.cost_usd is not None
    call.cost_usd = call.cost_usd + further.cost_usd if known else None  # type: ignore[operator] # both are known
    if call.usage is not None and further.usage is not None:
        call.usage = replace(
            call.usage,
            input_tokens=call.usage.input_tokens + further.usage.input_tokens,
            output_tokens=call.usage.output_tokens + further.usage.output_tokens,
        )
    return further, answer


def _backend_id(call: Call) -> str:
    backend = call.answered_by.backend
    return backend.id if backend is not None else ""


def _stronger(call: Call) -> str | None:
    """The best ranked backend that is expected to do better; None where the caller lets nobody else answer."""
    if call.reading.target is not None or not call.options.allow_fallbacks:
        return None
    entries, quality = call.decision.pool.entries, call.decision.forecast.quality
    answered = next((p for p in call.decision.ranking if entries[p] is call.entry), None)
    for position in call.decision.ranking:
        backend = entries[position].backend
        if answered is not None and backend is not None and quality[position] > quality[answered]:
            return backend.id
    return None


def _with_note(call: Call, note: str | None) -> ChatRequest:
    """The request as it was sent, personal data taken out of it where it was, with a word of ours at the end."""
    messages: Sequence[object] = call.reading.messages or call.request.body["messages"]
    said = [] if note is None else [{"role": "user", "content": note}]
    body: Mapping[str, Any] = {**call.request.body, "messages": [*messages, *said]}
    raw = orjson.dumps(body) if type(call.request) is ChatRequest else call.request.raw
    return replace(call.request, body=dict(body), raw=raw)


def _shown(answer: ChatAnswer) -> str:
    return orjson.dumps([{"name": c.get("name"), "arguments": c.get("arguments")} for c in calls_of(answer)]).decode()


def _complaint(answer: ChatAnswer, faults: Sequence[CallFault]) -> str:
    told = "\n".join(f"- {fault.tool}: {fault.detail}" for fault in faults)
    return f"You called {_shown(answer)}. That is not valid:\n{told}\nMake the call again, with valid arguments."


def _question(answer: ChatAnswer) -> str:
    return (
        f"You are about to call {_shown(answer)}. Compare that with the request and the descriptions of the functions."
        " If it is right, make the same call again. If not, make the better one."
    )
