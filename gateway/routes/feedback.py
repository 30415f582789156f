"""`POST /v1/feedback` and `POST /v1/router/outcomes`: how good an answer was, said by whoever knows.

Both name a decision, or the id of the response that it led to, so that a client needs to remember nothing new. The
same piece of feedback said twice counts once.
"""

import hashlib
from collections.abc import Mapping
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator

from gateway.dispatch import Clocks
from gateway.errors import UnavailableError
from gateway.governance.governor import Governor
from gateway.journal.protocol import Journal
from gateway.telemetry import Telemetry

__all__ = ["feedback_routes"]

Name = Annotated[str, Field(min_length=1, max_length=200)]
_VERDICTS = {"good_fit": 1.0, "overprovisioned": 1.0, "underpowered": 0.0, "failed": 0.0}  # as a quality score


class FeedbackNotKeptError(UnavailableError):
    """The journal has no room for it. Unlike an answer, it is nothing without its record."""

    advice = "the feedback was not kept; say it again later"
    retry_after_s = 30.0


class _Reference(BaseModel):
    model_config = ConfigDict(extra="forbid")

    decision_id: Name | None = None
    response_id: Name | None = None
    inference_id: Name | None = None  # TensorZero's word for the response
    replay_id: Name | None = None  # vLLM Semantic Router's word for the decision

    @model_validator(mode="after")
    def _names_one(self) -> "_Reference":
        if not (self.decision or self.response):
            raise ValueError("name what this is about: decision_id or response_id")
        return self

    @property
    def decision(self) -> str | None:
        return self.decision_id or self.replay_id

    @property
    def response(self) -> str | None:
        return self.response_id or self.inference_id


class Feedback(_Reference):
    """One judgement of one answer."""

    metric: Name = Field(validation_alias="metric_name", default="quality")
    value: bool | float | Annotated[str, Field(max_length=10_000)]
    source: Annotated[str, Field(max_length=200)] | None = None
    tags: dict[Name, Annotated[str, Field(max_length=2_000)]] = Field(default_factory=dict, max_length=64)
    dryrun: bool = False

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class RouterOutcome(_Reference):
    """A verdict on a choice of model, in vLLM Semantic Router's words."""

    verdict: Literal["good_fit", "underpowered", "overprovisioned", "failed"]
    score: Annotated[float, Field(ge=0, le=1)] | None = None
    reason: Annotated[str, Field(max_length=2_000)] | None = None
    source: Annotated[str, Field(max_length=200)] | None = None
    target: Annotated[str, Field(max_length=200)] | None = None
    target_ref: Annotated[str, Field(max_length=200)] | None = None


class Accepted(BaseModel):
    """What was kept."""

    object: Literal["feedback"] = "feedback"
    idempotency_key: str
    dryrun: bool = False


IdempotencyKey = Annotated[str | None, Header(max_length=200)]


def feedback_routes(journal: Journal, telemetry: Telemetry, clocks: Clocks, *, governor: Governor) -> APIRouter:
    """Both doors. Each piece of feedback counts as a request, for it takes a place in the journal."""
    router = APIRouter(prefix="/v1", tags=["feedback"])

    def keep(record: Mapping[str, object]) -> None:
        if not journal.write("feedback", record):
            raise FeedbackNotKeptError("a piece of feedback was not kept; journal_record_lost says why")

    @router.post("/feedback")
    async def feedback(given: Feedback, request: Request, idempotency_key: IdempotencyKey = None) -> Accepted:
        """Say how good an answer was. It counts as a request."""
        await governor.consult(request.scope.get("paretogate.key"))
        key = _key(request, idempotency_key or _digest(given, given.metric, given.value, given.source))
        if not given.dryrun:
            record = {"metric": given.metric, "value": given.value, "source": given.source, "tags": given.tags}
            record |= _whose(request)
            keep({**_reference(given), **record, "time": clocks.wall(), "idempotency_key": key})
            telemetry.feedback_came("feedback")
        return Accepted(idempotency_key=key, dryrun=given.dryrun)

    @router.post("/router/outcomes")
    async def outcome(given: RouterOutcome, request: Request, idempotency_key: IdempotencyKey = None) -> Accepted:
        """Say whether the choice of model was right. It counts as a request."""
        await governor.consult(request.scope.get("paretogate.key"))
        value = _VERDICTS[given.verdict] if given.score is None else given.score
        key = _key(request, idempotency_key or _digest(given, given.verdict, value, given.source))
        record = {
            "metric": "quality",
            "value": value,
            "verdict": given.verdict,
            "reason": given.reason,
            "source": given.source,
            "target": given.target,
            "target_ref": given.target_ref,
            **_whose(request),
        }
        keep({**_reference(given), **record, "time": clocks.wall(), "idempotency_key": key})
        telemetry.feedback_came("outcome")
        return Accepted(idempotency_key=key)

    return router


def _whose(request: Request) -> dict[str, str]:
    """Who says so, where that is known; judgements of other tenants' answers count for nothing when they are read."""
    key = request.scope.get("paretogate.key")
    return {} if key is None else {"tenant": key.tenant, "key_id": key.key_id}


def _key(request: Request, key: str) -> str:
    """The same thing said by two tenants is two things, so that nobody can say it first in another's place.

    What stands before the first colon is whose it is, and nobody else's, whatever tenants are called and clients say.
    """
    tenant = _whose(request).get("tenant")
    if tenant is None:
        return f":{key}" if ":" in key else key
    return f"{tenant.replace('%', '%25').replace(':', '%3A')}:{key}"


def _reference(given: _Reference) -> dict[str, str | None]:
    return {"decision_id": given.decision, "response_id": given.response}


def _digest(given: _Reference, *facts: object) -> str:
    said = "\x1f".join(repr(fact) for fact in (given.decision, given.response, *facts))
    return "fb_" + hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:32]
