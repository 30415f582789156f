"""What is asked in the same turn of the event loop is answered together, for less than one by one."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

__all__ = ["Together"]

Q = TypeVar("Q")
A = TypeVar("A")


class Together(Generic[Q, A]):
    """Gathers questions until the loop comes round, at most `most`, and answers them in the order they were asked.

    Nobody waits for company: who comes alone is answered in the loop's next turn. So are `few`, one per turn, so that
    the first is on its way while the next is thought about: together they would all leave when the last is ready, come
    back together, and meet again. More than that are worth their company.

    An error is of whom it is about alone, and a question whose asker has gone is not answered.
    """

    def __init__(
        self, answer_all: Callable[[Sequence[Q]], Iterable[A | Exception]], *, few: int = 4, most: int = 16
    ) -> None:
        """`answer_all` gives one answer per question; what would be raised for one, it gives back in its place."""
        self._answer_all, self._few, self._most = answer_all, few, most
        self._waiting: list[tuple[Q, asyncio.Future[A]]] = []

    async def ask(self, question: Q) -> A:
        """The answer, or the error that was given back in its place."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[A] = loop.create_future()
        self._waiting.append((question, future))
        if len(self._waiting) >= self._most:
            self._answer(self._most)
        elif len(self._waiting) == 1:
            loop.call_soon(self._come_round)
        return await future

    def _come_round(self) -> None:
        self._answer(1 if len(self._waiting) <= self._few else self._most)
        if self._waiting:
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, self._come_round)  # a turn for whoever has been answered to go first

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
