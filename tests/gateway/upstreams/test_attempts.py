from tenacity import wait_exponential

from catalog import Backend, ModelProfile, PoolEntry
from gateway.errors import UpstreamStatusError, UpstreamTimeoutError, UpstreamUnreachableError
from gateway.upstreams.attempts import AttemptPlan, RetryBudget


def entry(name: str) -> PoolEntry:
    backend = Backend(id=name, profile_id=f"x/{name}", kind="fake", provider="x", model_name=name)
    return PoolEntry(profile=ModelProfile(id=f"x/{name}", name=name), backend=backend)


A, B = entry("a"), entry("b")
REFUSED = UpstreamUnreachableError("cannot be reached", backend_id="a")


def plan(*entries: PoolEntry, budget: RetryBudget | None = None) -> AttemptPlan:
    return AttemptPlan(entries, budget=budget or RetryBudget(), backoff=wait_exponential(multiplier=0.05, max=1.0))


def always(_: PoolEntry) -> bool:
    return True


def test_the_ranking_is_followed_at_once() -> None:
    attempts = plan(A, B)
    assert attempts.first(always).entry is A
    following = attempts.after(A, REFUSED, always, left_s=60)
    assert (following.entry, following.wait_s) == (B, 0.0)


def test_a_backend_without_a_place_is_passed_over() -> None:
    assert plan(A, B).first(lambda candidate: candidate is B).entry is B


def test_the_only_backend_is_asked_again_after_a_pause() -> None:
    attempts = plan(A)
    attempts.first(always)
    first = attempts.after(A, REFUSED, always, left_s=60)
    second = attempts.after(A, REFUSED, always, left_s=60)
    assert (first.wait_s, second.wait_s) == (0.05, 0.1)


def test_pauses_are_drawn_from_a_window_that_doubles_up_to_two_seconds() -> None:
    for window_s, n_failures in ((0.1, 1), (0.2, 2), (0.4, 3), (0.8, 4), (1.6, 5), (2.0, 6), (2.0, 7)):
        drawn = []
        for _ in range(40):
            attempts = AttemptPlan([A], budget=RetryBudget(), max_attempts=9)
            attempts.first(always)
            for _ in range(n_failures):
                again = attempts.after(A, REFUSED, always, left_s=60)
            drawn.append(again.wait_s)
        assert window_s / 2 < max(drawn) <= window_s  # all 40 in the lower half: once in 10^12 runs
        assert min(drawn) < window_s / 2


def test_a_backend_that_says_when_to_return_is_obeyed() -> None:
    attempts = plan(A)
    attempts.first(always)
    limited = UpstreamStatusError(backend_id="a", status=429, retry_after_s=2.0)
    assert attempts.after(A, limited, always, left_s=60).wait_s == 2.0


def test_nobody_waits_for_what_takes_too_long_or_cannot_help() -> None:
    for failure in (
        UpstreamStatusError(backend_id="a", status=429, retry_after_s=60.0),
        UpstreamStatusError(backend_id="a", status=401),
        UpstreamTimeoutError(backend_id="a", phase="answer", after_s=9.0),
    ):
        attempts = plan(A)
        attempts.first(always)
        assert attempts.after(A, failure, always, left_s=600) is None


def test_a_request_that_is_itself_wrong_goes_nowhere_else() -> None:
    attempts = plan(A, B)
    attempts.first(always)
    assert attempts.after(A, UpstreamStatusError(backend_id="a", status=400), always, left_s=60) is None


def test_retries_end_with_their_budget() -> None:
    budget = RetryBudget(share=0.25, most=1.0)
    assert [budget.spend(), budget.spend()] == [True, False]
    for _ in range(4):
        budget.earn()
    assert budget.spend()
