"""The decision as a gateway takes it: names turned into candidates, the unwell left out, then the router asked."""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from catalog import PROTOCOLS, record
from gateway.errors import OverloadedError
from gateway.serving import Serving
from gateway.standing import Standing
from gateway.telemetry import Telemetry
from gateway.upstreams.health import Health
from predictors import Query
from router import (
    Decision,
    NoEligibleModelError,
    Reading,
    RoutingError,
    RoutingOptions,
    RoutingRequest,
    Screening,
    SessionState,
)

from .together import Together

__all__ = ["Chooser"]

_FEWEST = 8  # that are looked at under one load
_WIDER = 2  # times as many as were decided under one load, to be looked at under the next
_NO_CONSTRAINTS = RoutingOptions().require


@record
class _Wanted:
    """A decision that somebody waits for."""

    asked: RoutingRequest
    serving: Serving
    named: tuple[int, ...] | None  # where the model is that the caller named and left us no choice about
    dry_run: bool
    among: tuple[int, ...] | None = None  # the one backend that the caller named, where its model has others


class Chooser:
    """Asks the router, or obeys a caller who named the model. Requests of the same turn are decided together."""

    def __init__(
        self,
        *,
        health: Health,
        telemetry: Telemetry,
        rng: np.random.Generator,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._health, self._telemetry, self._rng = health, telemetry, rng
        self._at_once = _FEWEST
        self._together: Together[_Wanted, Decision] = Together(self._decide_all, clock=clock)

    async def choose(
        self,
        reading: Reading,
        query: Query,
        serving: Serving,
        *,
        standing: Standing,
        dry_run: bool = False,
        otherwise: Reading | None = None,
    ) -> tuple[Reading, Decision]:
        """Who should answer, and by which wishes; a dry run explores nothing and minds nobody's health.

        `otherwise` are the wishes that count where nobody meets the first ones.

        Raises:
            NoEligibleModelError, UnknownModelError.
            OverloadedError: somebody qualifies, and nobody of these is well or has a place.
        """
        if otherwise is not None and otherwise is not reading:
            try:
                return reading, await self._decided(reading, query, serving, standing=standing, dry_run=dry_run)
            except NoEligibleModelError:
                reading = otherwise
        try:
            return reading, await self._decided(reading, query, serving, standing=standing, dry_run=dry_run)
        except NoEligibleModelError as exc:
            if "available" not in exc.rejections:
                self._telemetry.rejected(exc.rejections)
                raise exc.concealing(reading.concealed) from exc.__cause__
            raise await self._for_now(reading, query, serving, standing=standing) from exc

    async def _for_now(
        self, reading: Reading, query: Query, serving: Serving, *, standing: Standing
    ) -> NoEligibleModelError | OverloadedError:
        """Who would answer, were everybody well? Only where nobody, it is the request itself, and no use to retry."""
        try:
            decision = await self._decided(reading, query, serving, standing=standing, dry_run=True)
        except NoEligibleModelError as exc:
            self._telemetry.rejected(exc.rejections)
            return exc.concealing(reading.concealed)
        entries = (decision.pool.entries[p] for p in decision.ranking)
        return self._health.resting(entry.backend for entry in entries if entry.backend is not None)

    async def _decided(
        self, reading: Reading, query: Query, serving: Serving, *, standing: Standing, dry_run: bool
    ) -> Decision:
        options, named, among = reading.options, None, None
        if reading.narrowed_to is not None:
            serving.positions(reading.narrowed_to)  # who is unknown is told so, rather than that nobody qualifies
        if reading.target is not None:
            positions = serving.positions(reading.target)
            if options.require == _NO_CONSTRAINTS and not options.deny:
                named = _speaking(positions, serving, query.needs & PROTOCOLS)
            else:
                options = replace(_by_id(options, serving), allow=(serving.pool.ids[positions[0]],), explore=False)
                among = positions if len(positions) < serving.pool.ids.count(options.allow[0]) else None
        elif options.allow or options.deny or options.order:
            options = _by_id(options, serving)
        if dry_run and options.explore:
            options = replace(options, explore=False)
        asked = RoutingRequest(query=query, options=options, session=self._session(standing, serving))
        wanted = _Wanted(asked=asked, serving=serving, named=named, dry_run=dry_run, among=among)
        return await self._together.ask(wanted)

    def _decide_all(self, wanted: Sequence[_Wanted]) -> Sequence[Decision | Exception]:
        """Every decision in its place; those with the same candidates are made together, in their order."""
        alike: dict[tuple[object, ...], list[int]] = {}
        for row, one in enumerate(wanted):
            alike.setdefault((id(one.serving), one.named is not None, one.dry_run, one.among), []).append(row)
        found: dict[int, Decision | Exception] = {}
        for rows in alike.values():
            theirs = [wanted[row] for row in rows]
            decide = self._chosen if theirs[0].named is None else self._as_named
            found.update(zip(rows, decide(theirs, theirs[0].serving), strict=True))
        return [found[row] for row in range(len(wanted))]

    def _chosen(self, wanted: Sequence[_Wanted], serving: Serving) -> Iterator[Decision | RoutingError]:
        """The router's decisions. Each sees the load that the earlier ones bring, where that makes a difference."""
        asked, dry_run, among = [one.asked for one in wanted], wanted[0].dry_run, wanted[0].among
        at_no_load = serving.source.forecasts([one.query for one in asked]) if len(asked) > 1 else None
        begin = 0
        ahead: Counter[str] = Counter()  # decided here and not yet begun, by backend id
        while begin < len(asked):
            these = slice(begin, begin + self._at_once)
            load = self._health.load(ahead=ahead)
            available = None if dry_run else self._health.available(serving.pool, ahead=ahead)
            if among is not None:
                named = np.isin(np.arange(len(serving.pool)), among)  # (n_candidates,)
                available = named if available is None else named & available
            slack = [math.inf] * len(serving.pool) if at_no_load is None else serving.source.slack(load).tolist()
            decisions = serving.router.decide_all(
                asked[these],
                rng=self._rng,
                load=load,
                available=available,
                at_no_load=None if at_no_load is None else at_no_load.take(these),
            )
            for n_decided, decision in enumerate(decisions, start=1):  # noqa: B007 - read after the loop
                yield decision
                if dry_run or not isinstance(decision, Decision) or (backend := decision.chosen.backend) is None:
                    continue
                ahead[backend.id] += 1
                slack[decision.ranking[0]] -= 1.0
                if slack[decision.ranking[0]] < 0.0 or not self._health.admits(backend, ahead=ahead):
                    break
            begin += n_decided
            self._at_once = max(_FEWEST, _WIDER * n_decided)  # of more, most would be looked at in vain

    def _session(self, standing: Standing, serving: Serving) -> SessionState | None:
        """The conversation so far; free to move on when the backend it is bound to is gone or unwell.

        What only that backend could read is then taken out of the history (`gateway.wire.reasoning_signatures`).
        """
        session = standing.session
        if session is None or not session.pinned:
            return session
        backends = (serving.pool.entries[p].backend for p in serving.names.get(session.backend_id, ()))
        well = any(b is not None and b.id == session.backend_id and self._health.admits(b) for b in backends)
        return session if well else replace(session, pinned=False)

    def _as_named(self, wanted: Sequence[_Wanted], serving: Serving) -> Iterator[Decision]:
        """No choice was left to us: the model that was named, on whichever backend of it is well."""
        entries = serving.pool.entries
        forecasts = serving.source.forecasts([one.asked.query for one in wanted])
        for row, one in enumerate(wanted):
            positions = one.named or ()
            well = [p for p in positions if (b := entries[p].backend) is not None and self._health.admits(b)]
            ranking = (*well, *(p for p in positions if p not in well))
            yield Decision(
                pool=serving.pool,
                forecast=forecasts[row],
                screening=Screening(checks=(), eligible=np.ones(len(entries), dtype=np.bool_)),
                front=ranking[:1],
                utility=np.full(len(entries), np.nan),  # (n_candidates,)
                ranking=ranking,
                propensity=1.0,
                explored=False,
                policy="named",
                reason="named",
            )


def _speaking(positions: tuple[int, ...], serving: Serving, needed: frozenset[str]) -> tuple[int, ...]:
    """Those that speak the protocol; where there are none, all: what they are asked will say what is wrong."""
    if not needed:
        return positions
    backends = ((p, serving.pool.entries[p].backend) for p in positions)
    return tuple(p for p, b in backends if b is not None and needed <= b.abilities) or positions


def _by_id(options: RoutingOptions, serving: Serving) -> RoutingOptions:
    """Lists of models by their catalog ids, as the router knows them; globs stay as they are."""

    def ids(names: tuple[str, ...]) -> tuple[str, ...]:
        known = ((name, serving.names.get(name) or serving.names.get(name.lower())) for name in names)
        return tuple(serving.pool.ids[found[0]] if found else name for name, found in known)

    return replace(options, allow=ids(options.allow), deny=ids(options.deny), order=ids(options.order))
