import asyncio
from collections.abc import Sequence

import pytest

from gateway.dispatch.together import Together


class Doubling:
    """Twice the number; an odd one is an error of its own, and 13 breaks everything it is part of."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    def __call__(self, numbers: Sequence[int]) -> list[int | Exception]:
        self.asked.append(list(numbers))
        if 13 in numbers:
            raise ZeroDivisionError(13)
        return [ValueError(number) if number % 2 else 2 * number for number in numbers]


async def test_what_is_asked_in_one_turn_is_answered_together_in_its_order() -> None:
    doubling = Doubling()
    together = Together(doubling, few=1)
    assert await asyncio.gather(*(together.ask(n) for n in (4, 2, 8))) == [8, 4, 16]
    assert await together.ask(6) == 12
    assert doubling.asked == [[4, 2, 8], [6]]


async def test_no_more_than_the_most_are_answered_at_once() -> None:
    doubling = Doubling()
    together = Together(doubling, most=2)
    assert await asyncio.gather(*(together.ask(n) for n in (0, 2, 4, 6, 8))) == [0, 4, 8, 12, 16]
    assert doubling.asked == [[0, 2], [4, 6], [8]]


async def test_of_few_the_first_goes_on_before_the_next_is_answered() -> None:
    seen: list[str] = []

    def answer(numbers: Sequence[int]) -> list[int | Exception]:
        seen.append(f"answered {numbers}")
        return list(numbers)

    together = Together(answer, few=3)

    async def going_on(number: int) -> None:
        await together.ask(number)
        seen.append(f"went on {number}")

    await asyncio.gather(*(going_on(n) for n in (1, 2, 3)))
    assert seen == ["answered [1]", "went on 1", "answered [2]", "went on 2", "answered [3]", "went on 3"]


async def test_at_a_busy_time_few_are_answered_together_too() -> None:
    doubling, now_s = Doubling(), 0.0

    def a_tenth_of_a_second_later() -> float:  # whoever looks at the clock
        nonlocal now_s
        now_s += 0.1
        return now_s

    together = Together(doubling, few=3, clock=a_tenth_of_a_second_later)
    for _ in range(100):  # one question after the other, each of which takes a third of the time
        await together.ask(2)
    await asyncio.gather(*(together.ask(n) for n in (4, 6)))
    assert doubling.asked[-1] == [4, 6]


async def test_at_a_busy_time_it_waits_for_as_long_as_more_come() -> None:
    doubling, now_s = Doubling(), 0.0

    def a_tenth_of_a_second_later() -> float:
        nonlocal now_s
        now_s += 0.1
        return now_s

    together = Together(doubling, clock=a_tenth_of_a_second_later)

    async def ask_after(turns: int) -> int:
        for _ in range(turns):
            await asyncio.sleep(0)
        return await together.ask(2 * turns)

    for _ in range(100):
        await together.ask(2)
    await asyncio.gather(*(ask_after(turns) for turns in (0, 1, 2, 3, 9)))
    assert doubling.asked[-2:] == [[0, 2, 4, 6], [18]]


@pytest.mark.parametrize(("each_s", "most"), [(0.0, 64), (0.0001, 64), (0.0002, 50), (0.01, 16)])
async def test_the_longer_answers_take_the_fewer_are_given_at_once(each_s: float, most: int) -> None:
    asked, now_s = [], 0.0

    def answer(numbers: Sequence[int]) -> Sequence[int | Exception]:
        nonlocal now_s
        now_s += each_s * len(numbers)
        asked.append(len(numbers))
        return numbers

    together = Together(answer, clock=lambda: now_s)
    for _ in range(8):
        await asyncio.gather(*(together.ask(n) for n in range(200)))
    assert max(asked) == pytest.approx(most, abs=1)


async def test_who_comes_alone_waits_for_nobody() -> None:
    together = Together(Doubling())
    asking = asyncio.ensure_future(together.ask(2))
    for _ in range(3):  # the task begins, is answered, and goes on
        await asyncio.sleep(0)
    assert asking.done()


async def test_an_error_reaches_only_whom_it_is_about() -> None:
    together = Together(Doubling())
    one, two, three = await asyncio.gather(*(together.ask(n) for n in (2, 3, 4)), return_exceptions=True)
    assert (one, three) == (4, 8)
    assert isinstance(two, ValueError)


async def test_who_breaks_the_answering_takes_nobody_along() -> None:
    doubling = Doubling()
    together = Together(doubling, few=1)
    answers = await asyncio.gather(*(together.ask(n) for n in (2, 13, 4)), return_exceptions=True)
    assert answers[::2] == [4, 8]
    assert isinstance(answers[1], ZeroDivisionError)
    assert doubling.asked == [[2, 13, 4], [2], [13], [4]]


async def test_who_has_gone_is_not_answered_and_harms_nobody() -> None:
    doubling = Doubling()
    together = Together(doubling, few=1)
    asking = [asyncio.ensure_future(together.ask(n)) for n in (2, 4, 6)]
    await asyncio.sleep(0)  # all have asked
    asking[1].cancel()
    first, gone, last = await asyncio.gather(*asking, return_exceptions=True)
    assert (first, last) == (4, 12)
    assert isinstance(gone, asyncio.CancelledError)
    assert doubling.asked in ([[2, 6]], [[2, 4, 6]])  # whichever came first, its leaving or the answer


async def test_all_gone_means_nothing_to_do() -> None:
    doubling = Doubling()
    together = Together(doubling, most=3)
    asking = asyncio.ensure_future(together.ask(2))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await together.ask(4) == 8
    assert doubling.asked[-1] == [4]
