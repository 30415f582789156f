"""What is kept of a request: its decision before anybody is asked, and what became of it."""

from dataclasses import fields

import structlog

from catalog import Backend, PoolEntry, Usage
from catalog.discovery.providers import bills_calls
from gateway.journal.protocol import Journal
from gateway.telemetry import Telemetry
from gateway.upstreams.identity import is_same_model
from gateway.wire.dropped_parameters import dropped_parameters
from router import decision_record, explain

from .call import Call, Clocks

__all__ = ["Accounts", "explanation", "late_facts"]

log = structlog.get_logger(__name__)

_USAGE_FIELDS = tuple(f.name for f in fields(Usage))


class Accounts:
    """Writes the journal and counts."""

    def __init__(self, *, journal: Journal, telemetry: Telemetry, clocks: Clocks) -> None:
        self._journal, self._telemetry, self._clocks = journal, telemetry, clocks

    def decided(self, call: Call, *, duration_s: float) -> None:
        """Keep the decision, which took this long.

        Raises:
            JournalFullError: it cannot be kept, and the journal was told to refuse.
        """
        decision = call.decision
        self._telemetry.decided(
            model=decision.chosen.profile.id,
            policy=decision.policy,
            explored=decision.explored,
            duration_s=duration_s,
        )
        record = decision_record(
            decision,
            decision_id=call.decision_id,
            time=self._clocks.wall(),
            tenant=call.standing.tenant,
            key_id=call.standing.key_id,
            session=call.standing.session_id or call.options.session_id,
            last_backend=call.standing.session.backend_id if call.standing.session is not None else None,
            query=call.query,
            options=call.options,
            text=call.query.text,  # the journal keeps as much of it as the operator allows
            versions=call.serving.versions,
        )
        self._journal.write("decision", record)

    def answered(self, call: Call, backend: Backend, *, usage: Usage | None, model_returned: str | None) -> None:
        """Price the answer; a backend that answers in another model's name is an alarm."""
        self._note_model(backend, model_returned)
        call.model_returned = model_returned
        call.cost_usd, call.usage = _cost_usd(call.entry, usage, model_returned), usage
        entry = call.entry
        if entry is None:
            return
        self._telemetry.answered(
            model=entry.profile.id,
            usage=usage,
            cost_usd=call.cost_usd,
            predicted_usd=float(call.decision.forecast.cost_usd[call.position]),
            ttft_s=call.ttft_s,
        )

    def conclude(
        self,
        call: Call,
        *,
        status: str,
        usage: Usage | None = None,
        response_id: str | None = None,
        model_returned: str | None = None,
        finish_reason: str | None = None,
        tools_called: tuple[str, ...] = (),
    ) -> None:
        """Keep what became of the decision."""
        response_id = call.answer_id or response_id
        if call.trace is not None:
            call.trace.concluded(
                call,
                status=status,
                usage=usage,
                response_id=response_id,
                model_returned=model_returned,
                finish_reason=finish_reason,
            )
        answered = call.entry.backend if call.entry is not None else None
        last = call.failures[-1] if call.failures else None
        ended_s = self._clocks.monotonic()
        self._journal.write(
            "outcome",
            {
                "decision_id": call.decision_id,
                "response_id": response_id,
                "time": self._clocks.wall(),
                "backend": answered.id if answered else last.backend_id if last else None,
                "model_returned": model_returned,
                "status": status,
                "usage": {name: getattr(usage, name) for name in _USAGE_FIELDS} if usage else None,
                "cost_usd": call.cost_usd,
                "ttft_s": call.ttft_s,
                "latency_s": ended_s - call.asked_s if call.asked_s else None,
                "total_s": ended_s - call.started_s,
                "finish_reason": finish_reason,
                "attempts": [{"backend": f.backend_id, "error": f.reason} for f in call.failures],
                "tools_offered": list(call.query.tool_names),
                "tools_called": list(tools_called),
                "tools": call.tools.facts() if call.tools is not None else None,
                "error": last.reason if last and status != "ok" else None,
            },
        )

    def _note_model(self, backend: Backend, returned: str | None) -> None:
        if returned is None or is_same_model(backend.model_name, returned):
            return
        self._telemetry.model_drifted(backend.id)
        log.warning("model_drifted", backend=backend.id, asked=backend.model_name, answered=returned[:100])


def explanation(call: Call) -> dict[str, object]:
    """Why, in the shape that callers read."""
    concealed = call.reading.concealed
    explained = dict(explain(call.decision, call.options, thinking=call.query.thinking, concealed=concealed))
    explained["decision_id"] = call.decision_id
    explained["versions"] = dict(call.serving.versions)
    return explained


def late_facts(call: Call, usage: Usage | None, *, model_returned: str | None = None) -> dict[str, object]:
    """What is known after the call; with the explanation where the caller asked for it."""
    facts: dict[str, object] = explanation(call) if call.options.explain else {"decision_id": call.decision_id}
    returned = model_returned or call.model_returned
    facts["cost_usd"] = _cost_usd(call.entry, usage, returned)  # the explanation's forecast is in its candidates
    facts["attempts"] = call.attempts
    if call.entry is not None and (names := dropped_parameters(call.request, call.entry)):
        facts["left_out"] = list(names)
    if call.failures:
        facts["fallback_from"] = [failure.backend_id for failure in call.failures]
    return facts


def _cost_usd(entry: PoolEntry | None, usage: Usage | None, returned: str | None) -> float | None:
    """What is owed: the provider's own bill where it makes one, whatever model answered, else tokens at their price.

    None where it is not known, such as for a model that nobody asked.
    """
    price = entry.price if entry is not None else None
    backend = entry.backend if entry is not None else None
    if backend is not None and usage is not None and usage.billed_usd is not None and bills_calls(backend.provider):
        return usage.billed_usd
    if backend is not None and returned is not None and not is_same_model(backend.model_name, returned):
        return None
    return None if price is None or usage is None else float(price.cost_usd(usage))
