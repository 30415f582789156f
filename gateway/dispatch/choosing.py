"""The decision as a gateway takes it: names turned into candidates, the unwell left out, then the router asked."""

from dataclasses import replace

import numpy as np

from gateway.serving import Serving
from gateway.standing import Standing
from gateway.telemetry import Telemetry
from gateway.upstreams.health import Health
from predictors import Query
from router import Decision, NoEligibleModelError, Reading, RoutingOptions, Screening, SessionState

__all__ = ["Chooser"]

_NO_CONSTRAINTS = RoutingOptions().require


class Chooser:
    """Asks the router, or obeys a caller who named the model."""

    def __init__(self, *, health: Health, telemetry: Telemetry, rng: np.random.Generator) -> None:
        self._health, self._telemetry, self._rng = health, telemetry, rng

    def choose(
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
        """
        if otherwise is not None and otherwise is not reading:
            try:
                return reading, self._decide(reading, query, serving, standing=standing, dry_run=dry_run)
            except NoEligibleModelError:
                reading = otherwise
        try:
            return reading, self._decide(reading, query, serving, standing=standing, dry_run=dry_run)
        except NoEligibleModelError as exc:
            self._telemetry.rejected(exc.rejections)
            raise

    def _decide(
        self, reading: Reading, query: Query, serving: Serving, *, standing: Standing, dry_run: bool
    ) -> Decision:
        options = replace(reading.options, explore=False) if dry_run else reading.options
        if reading.target is not None:
            positions = serving.positions(reading.target)
            if options.require == _NO_CONSTRAINTS:
                return self._as_named(positions, query, serving)
            options = replace(options, allow=(serving.pool.ids[positions[0]],), explore=False)
        elif options.allow or options.deny or options.order:
            options = _by_id(options, serving)
        return serving.router.decide(
            query,
            options,
            rng=self._rng,
            session=self._session(standing, serving),
            load=self._health.load(),
            available=None if dry_run else self._health.available(serving.pool),
        )

    def _session(self, standing: Standing, serving: Serving) -> SessionState | None:
        """The conversation so far; free to move on when the backend it is bound to is gone or unwell.

        What only that backend could read is then taken out of the history (`gateway.wire.bound`).
        """
        session = standing.session
        if session is None or not session.pinned:
            return session
        backends = (serving.pool.entries[p].backend for p in serving.names.get(session.backend_id, ()))
        well = any(b is not None and b.id == session.backend_id and self._health.admits(b) for b in backends)
        return session if well else replace(session, pinned=False)

    def _as_named(self, positions: tuple[int, ...], query: Query, serving: Serving) -> Decision:
        """No choice was left to us: the model that was named, on whichever backend of it is well."""
        entries = serving.pool.entries
        well = [p for p in positions if (b := entries[p].backend) is not None and self._health.admits(b)]
        ranking = (*well, *(p for p in positions if p not in well))
        return Decision(
            pool=serving.pool,
            forecast=serving.source.forecast(query),
            screening=Screening(constraints=(), violated=np.zeros((0, len(entries)), dtype=np.bool_)),
            front=ranking[:1],
            utility=np.full(len(entries), np.nan),  # (n_candidates,)
            ranking=ranking,
            propensity=1.0,
            explored=False,
            policy="named",
            reason="named",
        )


def _by_id(options: RoutingOptions, serving: Serving) -> RoutingOptions:
    """Lists of models by their catalog ids, as the router knows them; globs stay as they are."""

    def ids(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(serving.pool.ids[found[0]] if (found := serving.names.get(name)) else name for name in names)

    return replace(options, allow=ids(options.allow), deny=ids(options.deny), order=ids(options.order))
