"""Rehearsals: a request to ourselves that goes nowhere, so that the next real one meets warm caches.

Between two requests a core's caches become somebody else's, and whatever answers the next takes two to three times as
long as in company (docs/speed.md). Traders keep the way of an order warm by orders that are never sent. So while
requests come, but seldom, a whole chat is read, decided about, asked of nobody and answered, by the code and the tables
of real ones. Its journal, limits, counters and load are its own, and nobody reads them.
"""

import asyncio
import statistics
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from http import HTTPStatus
from typing import Protocol, get_args

import numpy as np
import orjson

from catalog import BackendKind

from .dispatch import Clocks, Dispatcher
from .governance.governor import Governor
from .journal import RecordKind, SpooledHealth, journal_line
from .keys import KeyRing
from .routes.chat import ChatDialect
from .routes.door import Admission, AnswerDoor
from .routes.pools import PoolShelf
from .serving import Serving, ServingFactory
from .state import MemoryState
from .telemetry import Telemetry
from .upstreams.health import Health
from .upstreams.protocol import UpstreamCall
from .wire.asgi import Headers, Message, Scope

__all__ = ["Rehearsal", "Rehearsals", "Timers"]

_WHILE_S = 0.15  # after a request came or went: longer, and another is as likely to be the last
_N_PAIRS = 9  # of a trial
_HOLDS_S = 60.0  # what a trial found
_WORTHWHILE = 1.5  # times as long as by warm caches: of less, keeping them warm takes more than it saves
_MODEL = b"MODEL"
_ASKED = orjson.dumps(
    {
        "model": "auto",
        "messages": [{"role": "user", "content": "Explain in a few words why a leap year has 366 days, please."}],
        "temperature": 0.7,
    }
)
_ANSWER = {
    "id": "chatcmpl-rehearsal",
    "object": "chat.completion",
    "created": 0,
    "model": _MODEL.decode(),
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "So that"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 20, "completion_tokens": 2, "total_tokens": 22},
}
_BEFORE_MODEL, _, _AFTER_MODEL = orjson.dumps(_ANSWER).partition(_MODEL)
_HEADERS = (
    (b"host", b"localhost"),
    (b"content-type", b"application/json"),
    (b"content-length", str(len(_ASKED)).encode()),
    (b"x-request-id", b"rehearsal"),  # should one break, the log says which request that was
)


class Timers(Protocol):
    """What it needs of an event loop."""

    def time(self) -> float:
        """Seconds, of a clock that never goes back."""
        ...

    def call_later(self, delay_s: float, callback: Callable[["Timers"], None], argument: "Timers", /) -> object:
        """Call it then."""
        ...


class Rehearsals:
    """When to rehearse: every so often, while requests come and go, but none just did, and it is of any use.

    That differs among machines, so once a minute it is tried: by pairs of rehearsals, of which the second follows at
    once, by caches as warm as they get. Where the first takes hardly longer, caches stay warm by themselves, and a
    rehearsal would only be in the way of whoever comes meanwhile.
    """

    def __init__(
        self,
        rehearse: Callable[[Callable[[], None]], None],
        *,
        every_s: float,
        loop: Timers | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`rehearse` calls what it is given when it has ended. `every_s`: above 0. `loop`: the running one."""
        self._rehearse, self._every_s, self._loop, self._clock = rehearse, every_s, loop, clock
        self._stirred_s = 0.0
        self._is_going = False
        self._ratios: list[float] = []  # of the trial at hand: what the first of a pair took, in terms of the second
        self._is_of_use, self._until_s = False, 0.0  # until the next trial

    def stir(self) -> None:
        """A request came or went: more may follow soon."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()  # kept: it asks the kernel who we are every time
        loop = self._loop
        self._stirred_s = loop.time()
        if not self._is_going:
            self._is_going = True
            loop.call_later(self._every_s, self._look, loop)

    def end(self) -> None:
        """Begin no more."""
        self._every_s = 0.0

    def _look(self, loop: Timers) -> None:
        if not self._every_s:
            return
        now_s = loop.time()
        quiet_s = now_s - self._stirred_s
        if quiet_s > _WHILE_S:
            self._is_going = False
            return
        if len(self._ratios) >= _N_PAIRS:
            self._is_of_use, self._until_s = statistics.median(self._ratios) >= _WORTHWHILE, now_s + _HOLDS_S
            self._ratios.clear()
        if quiet_s > self._every_s / 2:  # else a real one was as good
            if now_s >= self._until_s:
                self._try_a_pair()
            elif self._is_of_use:
                self._rehearse(_go_on)
        loop.call_later(self._every_s, self._look, loop)

    def _try_a_pair(self) -> None:
        began_s = self._clock()

        def follow() -> None:
            again_s = self._clock()
            self._rehearse(lambda: self._ratios.append((again_s - began_s) / max(self._clock() - again_s, 1e-9)))

        self._rehearse(follow)


def _go_on() -> None:
    pass


class Rehearsal:
    """What is rehearsed: a short chat, from its body to its answer."""

    def __init__(
        self, serving: Callable[[], Serving], *, make_serving: ServingFactory, keys: KeyRing, clocks: Clocks
    ) -> None:
        """`serving` gives what is served at the time; `keys` are never asked for one. `telemetry` counts rehearsals."""
        self._serving = serving
        self._failed_with: Serving | None = None
        self._task: asyncio.Task[None] | None = None
        self.telemetry = telemetry = Telemetry()
        self._dispatcher = Dispatcher(
            serving=serving(),
            upstreams=dict.fromkeys(get_args(BackendKind), _Nobody()),
            journal=_Unkept(),
            telemetry=telemetry,
            health=Health(clock=clocks.monotonic),
            clocks=clocks,
            rng=np.random.default_rng(0),
        )
        governor = Governor(
            keys=keys, store=MemoryState(clock=clocks.monotonic), required=False, clocks=clocks, telemetry=telemetry
        )
        self._door = AnswerDoor(
            self._dispatcher,
            ChatDialect(),
            pools=PoolShelf(self._dispatcher, make_serving, governor=governor),
            admission=Admission(telemetry, max_concurrency=1, stir=lambda: None),
            governor=governor,
            max_body_bytes=len(_ASKED),
        )

    def __call__(self, ended: Callable[[], None]) -> None:
        """Begin, unless the last one has not ended. What fails once is not rehearsed until something else is served."""
        serving = self._serving()
        if serving is self._failed_with or (self._task is not None and not self._task.done()):
            return
        self._dispatcher.serving = serving
        client = _Client(on_answer=self._answered)
        scope: Scope = {"type": "http", "method": "POST", "headers": list(_HEADERS), "paretogate.connection": client}
        self._task = asyncio.get_running_loop().create_task(self._door(scope, client.receive, client.send))
        # One that is cancelled, as the process ends, is followed by no other.
        self._task.add_done_callback(lambda task: None if task.cancelled() else ended())

    def _answered(self, status: int) -> None:
        if status != HTTPStatus.OK:
            self._failed_with = self._dispatcher.serving


class _Client:
    """The connection of whoever rehearses; see `gateway.wire.asgi.DirectConnection`."""

    def __init__(self, *, on_answer: Callable[[int], None]) -> None:
        self._on_answer = on_answer

    def body_at_hand(self) -> bytes:
        return _ASKED

    def call_when_gone(self, callback: Callable[[], None] | None) -> None:
        """Never."""

    def answer_at_once(self, status: int, headers: Headers, body: bytes) -> bool:  # noqa: ARG002 - the protocol's
        self._on_answer(status)
        return True

    async def receive(self) -> Message:
        raise AssertionError("all that is sent was at hand")

    async def send(self, message: Message) -> None:  # noqa: ARG002 - ASGI's
        raise AssertionError("a whole answer leaves at once")


class _Nobody:
    """Answers at once, in the name of the model that is asked."""

    async def complete(self, call: UpstreamCall) -> bytes:
        return _BEFORE_MODEL + orjson.dumps(call.backend.model_name)[1:-1] + _AFTER_MODEL

    def stream(self, call: UpstreamCall) -> AsyncGenerator[bytes, None]:  # noqa: ARG002 - the protocol's
        raise AssertionError("what is rehearsed asks for a whole answer")

    async def close(self) -> None:
        pass


class _Unkept:
    """Writes every record as the real one would, but nowhere."""

    health = SpooledHealth(limit_bytes=0)

    def write(self, kind: RecordKind, record: Mapping[str, object]) -> bool:
        journal_line(kind, 0.0, record)
        return True

    async def close(self) -> None:
        pass
