"""What is asked in the same turn of the event loop is answered together, for less than one by one."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

__all__ = ["Together"]

Q = TypeVar("Q")
A = TypeVar("A")

_MEMORY = 16.0  # questions over which means move
_LONG_S = 1.0  # between two questions; longer tells no more


class Together(Generic[Q, A]):
    """Gathers questions until the loop comes round, at most `most`, and answers them in the order they were asked.

    Nobody waits for company: who comes alone is answered in the loop's next turn. At leisure so are `few`, one a turn,
    so that the first is on its way while the next is thought about: together they would all leave when the last is
    ready, come back together, and meet again. More than that, or a busy time, make company worth its while.

    An error is of whom it is about alone, and a question whose asker has gone is not answered.
    """

    def __init__(
        self,
        answer_all: Callable[[Sequence[Q]], Iterable[A | Exception]],
        *,
        few: int = 4,
        most: int = 16,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`answer_all` gives one answer per question; what would be raised for one, it gives back in its place."""
        self._answer_all, self._few, self._most, self._clock = answer_all, few, most, clock
        self._waiting: list[tuple[Q, asyncio.Future[A]]] = []
        self._last_s = -_LONG_S  # when somebody last asked
        self._apart_s, self._alone_s = _LONG_S, 0.0  # between questions, and for an answer to one alone; moving means

    async def ask(self, question: Q) -> A:
        """The answer, or the error that was given back in its place."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[A] = loop.create_future()
        self._waiting.append((question, future))
        now_s = self._clock()
        self._apart_s += (min(now_s - self._last_s, _LONG_S) - self._apart_s) / _MEMORY
        self._last_s = now_s
        if len(self._waiting) >= self._most:
            self._answer(self._most)
        elif len(self._waiting) == 1:
            loop.call_soon(self._come_round)
        return await future

    def _come_round(self) -> None:
        if len(self._waiting) == 1 or (len(self._waiting) <= self._few and self._is_at_leisure):
            began_s = self._clock()
            self._answer(1)
            self._alone_s += (self._clock() - began_s - self._alone_s) / _MEMORY
        else:
            self._answer(self._most)
        if self._waiting:
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, self._come_round)  # a turn for whoever has been answered to go first

    @property
    def _is_at_leisure(self) -> bool:
        """Answering all of late one by one would have taken a quarter of the time at most."""
        return self._apart_s > 4.0 * self._alone_s

    def _answer(self, at_most: int) -> None:
        waiting = [(question, future) for question, future in self._waiting[:at_most] if not future.done()]
        del self._waiting[:at_most]  # now: an answer may not be held up by who asks meanwhile
        if not waiting:
            return
        answers = self._answers([question for question, _ in waiting])
        for (_, future), answer in zip(waiting, answers, strict=True):
            if isinstance(answer, Exception):
                future.set_exception(answer)
            else:
                future.set_result(answer)

    def _answers(self, questions: Sequence[Q]) -> Sequence[A | Exception]:
        try:
            return list(self._answer_all(questions))
        except Exception as exc:  # noqa: BLE001 - whoever of them broke it must not take the others along
            if len(questions) == 1:
                return [exc]
        return [answer for question in questions for answer in self._answers([question])]
