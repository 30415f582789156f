"""Asking within a budget: what was answered before is not asked again, and nothing is asked beyond the means."""

from collections.abc import Callable
from dataclasses import asdict, dataclass

from catalog import Price, Usage
from eval.errors import EvalError

from .endpoint import Endpoint, Reply, TokenScore
from .ledger import Ledger

__all__ = ["Asking", "Budget", "BudgetSpentError"]


class BudgetSpentError(EvalError):
    """What is left does not pay for another call; raise the budget and run the same command again to go on."""

    def __init__(self, *, what: str, limit: float) -> None:
        super().__init__(f"the budget of {limit:g} {what} is spent; raise it and run the same command to go on")
        self.what, self.limit = what, limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a probe may use, calls of earlier runs of the same ledger included."""

    calls: int
    tokens: int | None = None
    usd: float | None = None


class Asking:
    """An endpoint with a memory and a purse."""

    def __init__(
        self,
        endpoint: Endpoint,
        ledger: Ledger,
        budget: Budget,
        *,
        model: str,
        price: Price | None = None,
        progress: Callable[[], None] = lambda: None,
    ) -> None:
        self._endpoint, self._ledger, self.budget = endpoint, ledger, budget
        self._model, self._price, self._progress = model, price, progress
        self._limit = budget.calls

    @property
    def calls(self) -> int:
        """Answers paid for, in this run and before."""
        return len(self._ledger)

    @property
    def tokens(self) -> int:
        """Tokens read and written."""
        return sum(a.get("input_tokens", 0) + a.get("output_tokens", 0) for a in self._ledger.answers)

    @property
    def usd(self) -> float | None:
        """Dollars spent; None where the price is not known."""
        if self._price is None:
            return None
        return float(
            sum(
                self._price.cost_usd(
                    Usage(input_tokens=a.get("input_tokens", 0), output_tokens=a.get("output_tokens", 0))
                )
                for a in self._ledger.answers
            )
        )

    def at_most(self, calls: int) -> None:
        """Let the next procedure use this many further calls, and never more than the budget."""
        self._limit = min(self.budget.calls, self.calls + calls)

    def chat(self, prompt: str, *, max_tokens: int, again: int = 0) -> Reply:
        """The answer to a prompt, from the ledger where it is there.

        Args:
            prompt: the user's message.
            max_tokens: of the answer.
            again: tells repetitions of one question apart.

        Raises:
            BudgetSpentError: another call would exceed the budget.
            EndpointError: the endpoint failed.
        """
        request = {"model": self._model, "prompt": prompt, "max_tokens": max_tokens, "again": again}
        known = self._ledger.recall(request)
        if known is None:
            self._afford()
            reply = self._endpoint.chat(prompt, max_tokens=max_tokens)
            known = asdict(reply)
            self._ledger.record(request, known)
            self._progress()
        return Reply(**known)

    def score_text(self, text: str, *, max_tokens: int) -> TokenScore:
        """Log-probabilities of a text; counts as one call, however many requests the server needs for it.

        Raises:
            BudgetSpentError: another call would exceed the budget.
            EndpointError: the endpoint gives none.
        """
        request = {"model": self._model, "score": text, "max_tokens": max_tokens}
        known = self._ledger.recall(request)
        if known is None:
            self._afford()
            found = self._endpoint.score_text(text, max_tokens=max_tokens)
            known = {**asdict(found), "input_tokens": len(found.log_probability) + 1}
            self._ledger.record(request, known)
            self._progress()
        return TokenScore(log_probability=tuple(known["log_probability"]), text_bytes=tuple(known["text_bytes"]))

    def _afford(self) -> None:
        if self.calls >= self._limit:
            raise BudgetSpentError(what="calls", limit=self._limit)
        if self.budget.tokens is not None and self.tokens >= self.budget.tokens:
            raise BudgetSpentError(what="tokens", limit=self.budget.tokens)
        if self.budget.usd is not None:
            spent = self.usd
            if spent is None or spent >= self.budget.usd:
                raise BudgetSpentError(what="USD (unknown prices count as spent)", limit=self.budget.usd)
