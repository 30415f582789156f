"""Who may come in, what they may use, and what they used: keys, quotas and conversations around each decision.

One request: `caller` knows the key, `enter` takes a place and looks the conversation up (one round trip), `hold`
reserves tokens and dollars by the forecast (one more, only where the key counts them), `leave` settles by the bill.
"""

import asyncio
import contextlib
import os
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import count

import structlog

from gateway.dispatch import Call, Clocks
from gateway.errors import BudgetExceededError, ForbiddenError, UnauthenticatedError
from gateway.keys import ApiKey, KeyRing, UnknownKeyError
from gateway.privacy import Protected, protect
from gateway.serving import Serving
from gateway.standing import ANONYMOUS, Standing
from gateway.state import Claim, Grant, KeptState, MemoryState, Quota, Remembered, Settlement, StateStore
from gateway.telemetry import Telemetry
from gateway.wire.body import ChatRequest
from router import NoEligibleModelError, Reading, SessionState

from .allowed_models import AllowedModels
from .amounts import affordable, expected, taken
from .budget_watch import BudgetWatch
from .limits_told import limit_headers, refusal
from .sessions import Conversation, conversation_of, has_signed_reasoning, state_after
from .visit import Visit

__all__ = ["Governor", "Visit"]

log = structlog.get_logger(__name__)

_OURS = "sk-pg-"
_UNLIMITED = Quota()
_UNASKED = Grant()  # nobody had to be asked
_LONG_BYTES = 16 << 10  # of a request that is looked through in a thread; a tenth of a second at most up to there
_PUBLIC = "public"  # who has no key shares this holder, which has no quota


class Governor:
    """Stands between the doors and the dispatcher."""

    def __init__(
        self,
        *,
        keys: KeyRing,
        store: StateStore,
        required: bool,
        clocks: Clocks,
        telemetry: Telemetry,
        lease_s: float = 660.0,
        session_keep_s: float = 600.0,
        privacy: str = "off",
        phone_region: str | None = None,
    ) -> None:
        """`required` refuses whoever has no key; `lease_s` is longer than any request."""
        self._keys, self._store, self._required, self._clocks = keys, store, required, clocks
        self._telemetry, self._lease_s, self._session_keep_s = telemetry, lease_s, session_keep_s
        self._privacy, self._phone_region = privacy, phone_region
        self._id_prefix, self._id_count = os.urandom(8).hex(), count(1)
        self._settling: set[asyncio.Task[None]] = set()
        self._budgets = BudgetWatch(telemetry)
        self._allowed = AllowedModels()

    @property
    def asks_for_keys(self) -> bool:
        """Whether who has no key is refused."""
        return self._required

    def caller(self, headers: Mapping[str, str]) -> ApiKey | None:
        """The key that a request came with; None where it came without one and may.

        Raises:
            UnauthenticatedError: it needs one, or the one it has opens nothing.
        """
        token = _token(headers)
        if token is None or not (self._required or token.startswith(_OURS)):
            if self._required:
                raise UnauthenticatedError(
                    "an API key is required: send it as `authorization: Bearer KEY` or `x-api-key: KEY`"
                )
            return None  # clients insist on sending something
        try:
            return self._keys.find(token)
        except UnknownKeyError as exc:
            raise UnauthenticatedError(str(exc)) from exc

    def admin(self, headers: Mapping[str, str]) -> None:
        """Let only administrators pass, where keys are required.

        Raises:
            UnauthenticatedError, ForbiddenError.
        """
        key = self.caller(headers)
        if self._required and (key is None or not key.admin):
            raise ForbiddenError("this address needs an admin key; `paretogate keys create --admin` makes one")

    def prompt_flags(self, key: ApiKey | None) -> bool | None:
        """Whether flags in prompts are obeyed; None leaves it to the deployment."""
        return key.prompt_flags if key is not None else None

    def protects(self, key: ApiKey | None) -> bool:
        """Whether personal data is looked for in this key's requests."""
        return self._privacy != "off" or (key is not None and key.privacy not in {None, "off"})

    async def protected(self, key: ApiKey | None, request: ChatRequest, reading: Reading) -> Protected:
        """The request without what must not leave; of deployment and key, the stricter word counts.

        Looking through a megabyte takes seconds: what is long is looked through in a thread, and others go on.
        """
        if not self.protects(key):
            return Protected(reading=reading)
        own = key.privacy if key is not None and key.privacy is not None else "off"
        mode = max(self._privacy, own, key=("off", "redact", "local").index)
        look = partial(protect, request, reading, mode=mode, region=self._phone_region)
        return await asyncio.to_thread(look) if len(request.raw) > _LONG_BYTES else look()

    async def enter(
        self,
        key: ApiKey | None,
        request: ChatRequest,
        headers: Mapping[str, str],
        reading: Reading,
        serving: Serving,
    ) -> Visit:
        """Take a place, and learn what is left and where the conversation was.

        Raises:
            ForbiddenError: the key may not use the model that is named.
            RateLimitedError, BudgetExceededError: nothing is left; nothing was taken.
        """
        conversation = conversation_of(
            request.body,
            headers,
            explicit=reading.options.session_id,
            given=request.as_sent,
        )
        visit = self._visit(key, self.restricted(key, reading, serving), conversation)
        grant = _UNASKED
        if conversation.has_past or not visit.quota.is_unlimited:
            grant = await self._reserve(visit, self._place(visit))
        session = grant.session
        if session is not None and has_signed_reasoning(request.raw):
            session = replace(session, pinned=True)
        visit.standing = _standing(key, conversation, session)
        visit.usd_left = grant.usd_left
        if grant.usd_left is not None:
            visit.spend_at_most(grant.usd_left)
        return visit

    def restricted(self, key: ApiKey | None, reading: Reading, serving: Serving) -> Reading:
        """The wishes within what the key may use.

        Raises:
            ForbiddenError: it names a model that the key may not use.
            UnknownModelError: it names one that nobody here serves.
        """
        return reading if key is None else self._allowed.restricted(key, reading, serving)

    async def hold(self, visit: Visit, call: Call) -> None:
        """Reserve what the forecast says the call will take, beside what the visit holds already.

        A caller who lets amounts give way lets the request's own, not the budget's: nobody dearer than what is left
        is then asked in the chosen one's place.

        Raises:
            RateLimitedError, BudgetExceededError: that is more than what is left.
        """
        if not visit.quota.has_budget and visit.quota.tokens_per_minute is None:
            return
        tokens, usd = expected(visit, call)
        await self._reserve(
            visit,
            Claim(holder=visit.holder, quota=visit.quota, wall_s=visit.wall_s, tokens=tokens, cost_usd=usd),
        )
        if call.decision.relaxed is not None and visit.usd_left is not None:
            call.decision = affordable(call.decision, visit.usd_left)
        visit.held_tokens += tokens
        visit.held_usd += usd

    @staticmethod
    def unaffordable(visit: Visit, refused: NoEligibleModelError) -> BudgetExceededError | None:
        """Why nobody qualified, where it was the key's budget."""
        if visit.spendable_usd is None or "max_cost_usd" not in refused.rejections:
            return None
        return BudgetExceededError(
            f"this key has ${visit.spendable_usd:.6g} left to spend, and nobody who may answer is known to cost less",
            limit="budget",
            headers=visit.headers,
        )

    async def settled(self, visit: Visit, call: Call) -> None:
        """Leave, and wait until that counts, where anybody counts."""
        task = self.leave(visit, call)
        if task is not None and _counts_more_than_requests(visit.quota):
            await asyncio.shield(task)

    def leave(self, visit: Visit, call: Call | None) -> asyncio.Task[None] | None:
        """Settle by what the call really took; a task to wait for, or None where there is nothing to wait for."""
        if visit.has_left:
            return None
        visit.has_left = True
        tokens, usd = taken(visit, call)
        remember = self._remembered(visit, call)
        if visit.quota.is_unlimited and remember is None:
            return None
        settlement = Settlement(
            holder=visit.holder,
            quota=visit.quota,
            wall_s=visit.wall_s,
            tokens_more=tokens - visit.held_tokens,
            cost_usd_more=usd - visit.held_usd,
            lease_id=visit.lease_id,
            remember=remember,
        )
        if isinstance(self._store, MemoryState):
            self._store.settle_now(settlement)
            return None
        task = asyncio.create_task(self._settle(settlement))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)
        return task

    async def consult(self, key: ApiKey | None) -> dict[str, str]:
        """Count a request that only asks for a decision: it takes one of the minute's, no place and no dollars.

        Returns:
            What the client is told of its limits.

        Raises:
            RateLimitedError: the minute has none left.
        """
        if key is None or key.quota.requests_per_minute is None:
            return {}
        quota = Quota(requests_per_minute=key.quota.requests_per_minute)
        claim = Claim(holder=key.key_id, quota=quota, wall_s=self._clocks.wall(), requests=1)
        grant = await self._store.reserve(claim)
        headers = limit_headers(quota, grant)
        if grant.refused_by is None:
            return headers
        self._telemetry.quota_refused(grant.refused_by)
        raise refusal(grant, claim, headers)

    async def keep(self) -> None:
        """Keep what is to outlive this process, where anything is, until this is cancelled."""
        if isinstance(self._store, KeptState):
            await self._store.keep()

    async def close(self) -> None:
        """Settle what is still to be settled, and let go of the store."""
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*self._settling, return_exceptions=True)
        await self._store.close()

    def _visit(self, key: ApiKey | None, reading: Reading, conversation: Conversation) -> Visit:
        holder, quota = (_PUBLIC, _UNLIMITED) if key is None else (key.key_id, key.quota)
        return Visit(
            key=key,
            reading=reading,
            standing=ANONYMOUS,
            conversation=conversation,
            holder=holder,
            quota=quota,
            wall_s=self._clocks.wall(),
            lease_id=f"{self._id_prefix}{next(self._id_count):x}",
        )

    def _place(self, visit: Visit) -> Claim:
        """One request more, of the minute's and of those at once; and what is remembered of its conversation."""
        conversation = visit.conversation
        return Claim(
            holder=visit.holder,
            quota=visit.quota,
            wall_s=visit.wall_s,
            requests=1,
            lease_id=visit.lease_id,
            lease_s=self._lease_s,
            session_id=conversation.session_id if conversation.has_past else None,
        )

    async def _reserve(self, visit: Visit, claim: Claim) -> Grant:
        grant = await self._store.reserve(claim)
        visit.headers.update(limit_headers(claim.quota, grant))
        self._budgets.granted(claim, grant)
        if grant.refused_by is None:
            return grant
        self._telemetry.quota_refused(grant.refused_by)
        raise refusal(grant, claim, visit.headers)

    def _remembered(self, visit: Visit, call: Call | None) -> Remembered | None:
        state = state_after(call) if call is not None else None
        if state is None:
            return None
        return Remembered(session_id=visit.conversation.session_id, state=state, keep_s=self._session_keep_s)

    async def _settle(self, settlement: Settlement) -> None:
        try:
            await self._store.settle(settlement)
        except Exception:
            log.exception("settlement_lost", holder=settlement.holder)  # a lease expires by itself


def _token(headers: Mapping[str, str]) -> str | None:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return value.strip()
    return headers.get("x-api-key") or None


def _standing(key: ApiKey | None, conversation: Conversation, session: SessionState | None) -> Standing:
    return Standing(
        tenant=key.tenant if key else None,
        key_id=key.key_id if key else None,
        session_id=conversation.session_id,
        session=session,
    )


def _counts_more_than_requests(quota: Quota) -> bool:
    """Something is given back or charged at the end of a request, which its client's next one must find done."""
    return quota.has_budget or quota.tokens_per_minute is not None or quota.max_concurrency is not None
