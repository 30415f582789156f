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
_STILL_S = 0.01  # that the loop may stand still for the sake of company


class Together(Generic[Q, A]):
    """Gathers questions until the loop comes round, and answers them in the order they were asked.

    Nobody waits for company: who comes alone is answered in the loop's next turn. At leisure so are `few`, one a turn,
    so that the first is on its way while the next is thought about: together they would all leave when the last is
    ready, come back together, and meet again. More than that, or a busy time, make company worth its while. At a busy
    time the loop goes round for as long as each turn brings more, since the other work of these turns must be done
    anyway. At most `most` are answered at once, or fewer, down to `always`, where these take long.

    An error is of whom it is about alone, and a question whose asker has gone is not answered.
    """

    def __init__(
        self,
        answer_all: Callable[[Sequence[Q]], Iterable[A | Exception]],
        *,
        few: int = 4,
        always: int = 16,
        most: int = 64,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`answer_all` gives one answer per question; what would be raised for one, it gives back in its place."""
        self._answer_all, self._clock = answer_all, clock
        self._few, self._always, self._most = few, min(always, most), most
        self._at_most = self._always  # at once, as long as answers take what they take
        self._waiting: list[tuple[Q, asyncio.Future[A]]] = []
        self._is_coming_round, self._seen = False, 0  # and how many waited when it did last
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
        if len(self._waiting) >= self._at_most:
            self._answer_company()
        elif not self._is_coming_round:
            self._is_coming_round = True
            loop.call_soon(self._come_round)
        try:
            return await future
        finally:
            del future  # an error that it holds leads back here, or only the garbage collector would let go of both

    def _come_round(self) -> None:
        loop = asyncio.get_running_loop()
        if self._seen < len(self._waiting) and not self._is_at_leisure:
            self._seen = len(self._waiting)
            loop.call_soon(self._come_round)
            return
        if len(self._waiting) == 1 or (len(self._waiting) <= self._few and self._is_at_leisure):
            began_s = self._clock()
            self._answer(1)
            self._alone_s += (self._clock() - began_s - self._alone_s) / _MEMORY
        else:
            self._answer_company()
        self._is_coming_round, self._seen = bool(self._waiting), 0
        if self._waiting:
            loop.call_soon(loop.call_soon, self._come_round)  # a turn for whoever has been answered to go first

    @property
    def _is_at_leisure(self) -> bool:
        """Answering all of late one by one would have taken a quarter of the time at most."""
        return self._apart_s > 4.0 * self._alone_s

    def _answer_company(self) -> None:
        self._seen, together, began_s = 0, min(self._at_most, len(self._waiting)), self._clock()
        self._answer(together)
        if together > 1:
            each_s = (self._clock() - began_s) / together
            fitting = int(min(self._most, max(self._always, _STILL_S / each_s))) if each_s > 0.0 else self._most
            self._at_most = min(fitting, 2 * self._at_most)  # a few easy ones do not make a crowd easy

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
