import pytest

from catalog import UnknownModelError
from gateway.errors import (
    AllBackendsFailedError,
    BodyTooLargeError,
    GatewayError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    UpstreamNotAskedError,
    UpstreamStatusError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
    UpstreamUnsupportedError,
    UpstreamUnusableError,
    anthropic_error,
    openai_error,
    reply_to,
)
from router import InvalidRoutingError, NoEligibleModelError

LIMITED = UpstreamStatusError(backend_id="a", status=429, retry_after_s=7.0)
SLOW = UpstreamTimeoutError(backend_id="a", phase="answer", after_s=3)
GONE = UpstreamUnreachableError("cannot be reached", backend_id="b")
NOT_ASKED = UpstreamNotAskedError("was not asked", backend_id="a")
UNSUPPORTED = UpstreamUnsupportedError(backend_id="a", parameters=["logit_bias"])
REFUSED = UpstreamStatusError(backend_id="a", status=400, detail={"message": "too long", "code": "context_length"})


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (InvalidRequestError("x", param="n"), 400, "invalid_request"),
        (InvalidRoutingError(field="policy", problem="x"), 400, "invalid_routing"),
        (UnknownModelError("x"), 404, "unknown_model"),
        (NotFoundError("x"), 404, "not_found"),
        (BodyTooLargeError(limit_bytes=1), 413, "request_too_large"),
        (NoEligibleModelError(rejections={"max_cost_usd": 2}, closest=None), 422, "no_eligible_model"),
        (OverloadedError("x"), 503, "overloaded"),
        (AllBackendsFailedError([LIMITED]), 429, "rate_limit_exceeded"),
        (AllBackendsFailedError([SLOW, SLOW]), 504, "upstream_timeout"),
        (AllBackendsFailedError([SLOW, GONE]), 502, "upstream_failed"),
        (AllBackendsFailedError([NOT_ASKED, NOT_ASKED]), 503, "overloaded"),
        (AllBackendsFailedError([NOT_ASKED, GONE]), 502, "upstream_failed"),
        (AllBackendsFailedError([LIMITED, GONE]), 502, "upstream_failed"),
        (AllBackendsFailedError([GONE, REFUSED]), 400, "context_length"),
        (AllBackendsFailedError([GONE, UNSUPPORTED]), 400, "unsupported_parameter"),
        (AllBackendsFailedError([UpstreamUnusableError(backend_id="a", cause="X")]), 502, "upstream_failed"),
        (AllBackendsFailedError([UpstreamStatusError(backend_id="a", status=500)]), 502, "upstream_failed"),
        (GatewayError("the disk at /secret is full"), 503, "unavailable"),
        (RuntimeError("a secret"), 500, "internal_error"),
    ],
)
def test_every_error_has_its_status_and_code(error: Exception, status: int, code: str) -> None:
    reply = reply_to(error)
    assert (reply.status, reply.code) == (status, code)


def test_a_rate_limit_says_when_to_return() -> None:
    assert reply_to(AllBackendsFailedError([LIMITED])).retry_after_s == 7.0


def test_what_a_backend_says_about_the_request_is_passed_on() -> None:
    assert reply_to(AllBackendsFailedError([REFUSED])).message == "too long"


def test_a_backend_that_finds_it_too_long_is_heard_though_others_are_away() -> None:
    said = {"message": "prompt is too long", "code": "context_length_exceeded"}
    full = UpstreamStatusError(backend_id="a", status=400, detail=said)
    reply = reply_to(AllBackendsFailedError([GONE, full, GONE]))
    assert (reply.status, reply.code) == (400, "context_length_exceeded")


def test_what_is_not_ours_says_nothing_about_itself() -> None:
    for error in (RuntimeError("a secret"), GatewayError("a secret")):
        assert "secret" not in str(openai_error(reply_to(error)))


def test_both_protocols_shape_the_same_reply() -> None:
    reply = reply_to(NoEligibleModelError(rejections={"min_quality": 3}, closest=None))
    assert openai_error(reply)["error"] == {
        "message": "no model satisfies every constraint: min_quality rejects 3",
        "type": "invalid_request_error",
        "param": None,
        "code": "no_eligible_model",
        "rejections": {"min_quality": 3},
        "closest": None,
    }
    theirs = anthropic_error(reply, request_id="req_1")
    assert (theirs["type"], theirs["request_id"]) == ("error", "req_1")
    assert theirs["error"]["type"] == "invalid_request_error"  # type: ignore[index]


def test_what_was_tried_several_times_is_said_once() -> None:
    said = str(AllBackendsFailedError([GONE, SLOW, GONE]))
    assert said == f"no backend could answer: {GONE} (2 times); {SLOW}"
