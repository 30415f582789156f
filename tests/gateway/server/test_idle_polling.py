from collections import deque
from collections.abc import Callable

import pytest

from gateway.routes.door import Admission
from gateway.server.idle_polling import IdlePolling, Loop
from gateway.settings import InvalidSettingsError, Settings, load_settings
from gateway.telemetry import Telemetry


class Turns:
    """An event loop of whose turns each takes a millisecond."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.soon: deque[tuple[Callable[[Loop], None], Loop]] = deque()

    def time(self) -> float:
        return self.now_s

    def call_soon(self, callback: Callable[[Loop], None], argument: Loop, /) -> None:
        self.soon.append((callback, argument))

    def turn(self) -> None:
        """One round: what was asked for before it is called."""
        for _ in range(len(self.soon)):
            callback, argument = self.soon.popleft()
            callback(argument)
        self.now_s += 0.001

    def turns_awake(self) -> int:
        """How many rounds it goes before it would sleep."""
        turns = 0
        while self.soon:
            assert len(self.soon) == 1  # however often it was stirred
            self.turn()
            turns += 1
        return turns


def test_it_looks_for_so_long_and_then_sleeps() -> None:
    loop = Turns()
    polling = IdlePolling(for_s=0.05, loop=loop)
    assert loop.turns_awake() == 0  # nothing has happened yet
    polling.stir()
    assert loop.turns_awake() == pytest.approx(51, abs=1)
    polling.stir()  # and again, once it has slept
    assert loop.turns_awake() == pytest.approx(51, abs=1)


def test_whatever_happens_meanwhile_lets_it_go_on() -> None:
    loop = Turns()
    polling = IdlePolling(for_s=0.05, loop=loop)
    for _ in range(3):
        polling.stir()
        polling.stir()
        for _ in range(40):
            loop.turn()
    assert loop.turns_awake() == pytest.approx(11, abs=1)


def test_it_sleeps_at_once_unless_told_otherwise() -> None:
    loop = Turns()
    IdlePolling(for_s=0.0, loop=loop).stir()
    assert loop.turns_awake() == 0
    assert Settings().server.idle_poll_ms == 0


def test_a_request_that_comes_or_goes_keeps_it_awake() -> None:
    loop = Turns()
    admission = Admission(Telemetry(), max_concurrency=1, stir=IdlePolling(for_s=0.05, loop=loop).stir)
    admission.enter()
    assert loop.turns_awake() > 0
    admission.leave()
    assert loop.turns_awake() > 0


def test_a_time_that_makes_no_sense_is_told_by_its_name() -> None:
    with pytest.raises(InvalidSettingsError, match=r"server\.idle_poll_ms"):
        load_settings(environ={"PARETOGATE_SERVER__IDLE_POLL_MS": "-1"})
