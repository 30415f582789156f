"""Who may come in, what they may use, and what they used: keys, quotas and conversations around each decision.

One request: `caller` knows the key, `enter` takes a place and looks the conversation up (one round trip), `hold`
reserves tokens and dollars by the forecast (one more, only where the key counts them), `leave` settles by the bill.
"""

import asyncio
import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count

import numpy as np
import structlog

from catalog import Pool, Usage
from gateway.dispatch import Call, Clocks
from gateway.errors import BudgetExceededError, ForbiddenError, QuotaError, RateLimitedError, UnauthenticatedError
from gateway.keys import ApiKey, KeyRing, UnknownKeyError
from gateway.privacy import Protected, protect
from gateway.serving import Serving
from gateway.standing import ANONYMOUS, Standing
from gateway.state import Claim, Grant, KeptState, MemoryState, Quota, Remembered, Settlement, StateStore
from gateway.telemetry import Telemetry
from gateway.wire.body import ChatRequest
from router import Decision, NoEligibleModelError, Reading, SessionState

from .budget_watch import BudgetWatch
from .sessions import Conversation, conversation_of, has_signed_reasoning

__all__ = ["Governor", "Visit"]

log = structlog.get_logger(__name__)

_OURS = "sk-pg-"
_UNLIMITED = Quota()
_UNASKED = Grant()  # nobody had to be asked
_Closed = tuple[tuple[str, ...], frozenset[str]]
_MAX_RULES = 1_000  # different allow and deny lists whose closed models are remembered
_LONG_BYTES = 16 << 10  # of a request that is looked through in a thread; a tenth of a second at most up to there
_MOST_TOOLS_KEPT = 256  # of one conversation, by their names
_MOST_CHARS_KEPT = 16_384
_PUBLIC = "public"  # who has no key shares this holder, which has no quota


@dataclass(slots=True, kw_only=True)
class Visit:
    """One request inside the gateway."""

    key: ApiKey | None
    reading: Reading
    standing: Standing
    conversation: Conversation
    holder: str
    quota: Quota
    wall_s: float
    lease_id: str
    headers: dict[str, str] = field(default_factory=dict)  # what the client is told of its limits
    spendable_usd: float | None = None  # where the budget is tighter than what the caller allows
    usd_left: float | None = None  # of the budget, whatever the caller allows
    held_tokens: int = 0
    held_usd: float = 0.0
    has_left: bool = False


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
        self._closed_to: dict[
            tuple[tuple[str, ...], tuple[str, ...]], tuple[Pool, tuple[tuple[str, ...], frozenset[str]]]
        ] = {}

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
        own = key.privacy if key is not None and key.privacy is not None else "off"
        mode = max(self._privacy, own, key=("off", "redact", "local").index)
        look = partial(protect, request, reading, mode=mode, region=self._phone_region)
        return await asyncio.to_thread(look) if mode != "off" and len(request.raw) > _LONG_BYTES else look()

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
        holder, quota = (_PUBLIC, _UNLIMITED) if key is None else (key.key_id, key.quota)
        reading = self.restricted(key, reading, serving)
        visit = Visit(
            key=key,
            reading=reading,
            standing=ANONYMOUS,
            conversation=conversation,
            holder=holder,
            quota=quota,
            wall_s=self._clocks.wall(),
            lease_id=f"{self._id_prefix}{next(self._id_count):x}",
        )
        grant = _UNASKED
        if conversation.has_past or not quota.is_unlimited:
            grant = await self._reserve(
                visit,
                Claim(
                    holder=holder,
                    quota=quota,
                    wall_s=visit.wall_s,
                    requests=1,
                    lease_id=visit.lease_id,
                    lease_s=self._lease_s,
                    session_id=conversation.session_id if conversation.has_past else None,
                ),
            )
        session = grant.session
        if session is not None and has_signed_reasoning(request.raw):
            session = replace(session, pinned=True)
        visit.standing = Standing(
            tenant=key.tenant if key else None,
            key_id=key.key_id if key else None,
            session_id=conversation.session_id,
            session=session,
        )
        visit.usd_left = grant.usd_left
        if grant.usd_left is not None:
            self._cap(visit, grant.usd_left)
        return visit

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
        headers = _limit_headers(quota, grant)
        if grant.refused_by is None:
            return headers
        self._telemetry.quota_refused(grant.refused_by)
        raise _refusal(grant, claim, headers)

    def restricted(self, key: ApiKey | None, reading: Reading, serving: Serving) -> Reading:
        """The wishes within what the key may use.

        Raises:
            ForbiddenError: it names a model that the key may not use.
            UnknownModelError: it names one that nobody here serves.
        """
        return reading if key is None else self._restricted(key, reading, serving)

    async def hold(self, visit: Visit, call: Call) -> None:
        """Reserve what the forecast says the call will take, beside what the visit holds already.

        A caller who lets amounts give way lets the request's own, not the budget's: nobody dearer than what is left
        is then asked in the chosen one's place.

        Raises:
            RateLimitedError, BudgetExceededError: that is more than what is left.
        """
        if not visit.quota.has_budget and visit.quota.tokens_per_minute is None:
            return
        chosen = call.decision.ranking[0]
        output_tokens = float(call.decision.forecast.output_tokens[chosen]) * call.query.n_answers
        tokens = call.query.input_tokens + (0 if np.isnan(output_tokens) else round(output_tokens))
        usd = self._expected_usd(visit, call)
        await self._reserve(
            visit,
            Claim(holder=visit.holder, quota=visit.quota, wall_s=visit.wall_s, tokens=tokens, cost_usd=usd),
        )
        if call.decision.relaxed is not None and visit.usd_left is not None:
            call.decision = _affordable(call.decision, visit.usd_left)
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
        """Settle by what the call really took; a task to wait for, or None where there is nothing to wait for.

        A call that nobody answered costs nothing. One that was answered, but whose bill is not known (the client left
        midway, the backend counts no tokens), costs what was reserved, or, where another than the chosen one answered,
        what was forecast of that one.
        """
        if visit.has_left:
            return None
        visit.has_left = True
        usage = call.usage if call is not None else None
        answered = call is not None and call.entry is not None
        tokens, usd = (visit.held_tokens, _reserved_usd(visit, call)) if answered else (0, 0.0)
        if usage is not None:
            tokens = usage.input_tokens + usage.output_tokens
        if call is not None and call.cost_usd is not None:
            usd = call.cost_usd
        remember = self._remember(visit, call, usage) if answered and call is not None else None
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

    async def keep(self) -> None:
        """Keep what is to outlive this process, where anything is, until this is cancelled."""
        if isinstance(self._store, KeptState):
            await self._store.keep()

    async def close(self) -> None:
        """Settle what is still to be settled, and let go of the store."""
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*self._settling, return_exceptions=True)
        await self._store.close()

    async def _settle(self, settlement: Settlement) -> None:
        try:
            await self._store.settle(settlement)
        except Exception:
            log.exception("settlement_lost", holder=settlement.holder)  # a lease expires by itself

    async def _reserve(self, visit: Visit, claim: Claim) -> Grant:
        grant = await self._store.reserve(claim)
        visit.headers.update(_limit_headers(claim.quota, grant))
        self._budgets.granted(claim, grant)
        if grant.refused_by is None:
            return grant
        self._telemetry.quota_refused(grant.refused_by)
        raise _refusal(grant, claim, visit.headers)

    def _restricted(self, key: ApiKey, reading: Reading, serving: Serving) -> Reading:
        options, concealed = reading.options, reading.concealed
        if reading.narrowed_to is not None:
            serving.positions(reading.narrowed_to, may_see=key.may_use)
        if reading.target is not None:
            for position in serving.positions(reading.target, may_see=key.may_use):
                if not key.may_use(model_id := serving.pool.ids[position]):
                    raise ForbiddenError(f"this key may not use {model_id}; ask for another model", param="model")
        if key.allow or key.deny:
            closed, concealed = self._closed(key, serving.pool)
            options = options if reading.target is not None else replace(options, deny=(*options.deny, *closed))
        if key.policy is not None and not reading.names_policy and key.policy in serving.policies:
            options = replace(options, policy=key.policy)
        is_same = options is reading.options and concealed is reading.concealed
        return reading if is_same else replace(reading, options=options, concealed=concealed)

    def _closed(self, key: ApiKey, pool: Pool) -> _Closed:
        """The pool's models that this key may not use, in their order and as a set."""
        rules = (key.allow, key.deny)
        kept = self._closed_to.get(rules)
        if kept is None or kept[0] is not pool:
            closed = tuple(dict.fromkeys(name for name in pool.ids if not key.may_use(name)))
            kept = (pool, (closed, frozenset(closed)))
            if len(self._closed_to) >= _MAX_RULES:
                self._closed_to.clear()
            self._closed_to[rules] = kept
        return kept[1]

    @staticmethod
    def _cap(visit: Visit, usd_left: float) -> None:
        """Nothing dearer than what is left; what has no price breaks the constraint too, so nothing is free."""
        options = visit.reading.options
        limit = options.require.max_cost_usd
        if limit is None or usd_left < limit:
            visit.spendable_usd = usd_left
            require = replace(options.require, max_cost_usd=max(0.0, usd_left))
            visit.reading = replace(visit.reading, options=replace(options, require=require))

    @staticmethod
    def _expected_usd(visit: Visit, call: Call) -> float:
        expected = float(call.decision.forecast.cost_usd[call.decision.ranking[0]])
        if not np.isnan(expected):
            return expected
        if visit.quota.has_budget:
            raise BudgetExceededError(
                f"{call.decision.chosen.profile.id} has no known price, and this key has a budget;"
                " give its backend a price",
                limit="price",
            )
        return 0.0

    def _remember(self, visit: Visit, call: Call, usage: Usage | None) -> Remembered | None:
        entry = call.entry
        if entry is None or entry.backend is None:
            return None
        held = usage.input_tokens + usage.output_tokens if usage is not None else call.query.input_tokens
        trail = call.tools
        tools = trail.sent if trail is not None and trail.how != "failed_open" else ()  # that was no choice to keep to
        if len(tools) > _MOST_TOOLS_KEPT or sum(map(len, tools)) > _MOST_CHARS_KEPT:
            tools = ()  # they are judged anew: what a caller makes up must not fill the memory
        state = SessionState(backend_id=entry.backend.id, cached_tokens=held, tools=tools)
        return Remembered(session_id=visit.conversation.session_id, state=state, keep_s=self._session_keep_s)


def _affordable(decision: Decision, usd_left: float) -> Decision:
    """The decision without fallbacks that are not known to cost at most so much."""
    first, *rest = decision.ranking
    cost_usd = decision.forecast.cost_usd
    return replace(decision, ranking=(first, *(p for p in rest if cost_usd.item(p) <= usd_left)))


def _reserved_usd(visit: Visit, call: Call | None) -> float:
    """What the visit holds, as if it had been reserved for whoever answered."""
    if call is None or not visit.quota.has_budget:
        return visit.held_usd
    expected = call.decision.forecast.cost_usd
    chosen, answered = expected.item(call.decision.ranking[0]), expected.item(call.position)
    return visit.held_usd if np.isnan(answered - chosen) else visit.held_usd + answered - chosen


def _counts_more_than_requests(quota: Quota) -> bool:
    """Something is given back or charged at the end of a request, which its client's next one must find done."""
    return quota.has_budget or quota.tokens_per_minute is not None or quota.max_concurrency is not None


def _token(headers: Mapping[str, str]) -> str | None:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return value.strip()
    return headers.get("x-api-key") or None


def _limit_headers(quota: Quota, grant: Grant) -> dict[str, str]:
    told: dict[str, str] = {}
    for word, limit, left, reset_s in (
        ("requests", quota.requests_per_minute, grant.requests_left, grant.requests_reset_s),
        ("tokens", quota.tokens_per_minute, grant.tokens_left, grant.tokens_reset_s),
    ):
        if limit is not None and left is not None:
            told[f"x-ratelimit-limit-{word}"] = str(limit)
            told[f"x-ratelimit-remaining-{word}"] = str(left)
            told[f"x-ratelimit-reset-{word}"] = f"{reset_s:.3f}s"
    return told


def _refusal(grant: Grant, claim: Claim, headers: Mapping[str, str]) -> QuotaError:
    limit = grant.refused_by or ""
    value = getattr(claim.quota, limit)
    if limit.startswith("budget"):
        period = "day" if limit.endswith("day") else "month"
        return BudgetExceededError(
            f"this key may spend ${value:g} a {period} and has ${max(0.0, grant.usd_left or 0.0):.6g} left;"
            f" it starts anew with the next UTC {period}",
            limit=limit,
            headers=headers,
        )
    if limit == "max_concurrency":
        return RateLimitedError(
            f"this key may have {value} requests at once; wait for one to end",
            limit=limit,
            retry_after_s=1.0,
            headers=headers,
        )
    if grant.retry_after_s is None:
        return RateLimitedError(
            f"this request takes {claim.tokens} tokens and this key has {value} per minute; shorten it",
            limit=limit,
            headers=headers,
        )
    word = "requests" if limit.startswith("requests") else "tokens"
    return RateLimitedError(
        f"this key has {value} {word} per minute; come back in {grant.retry_after_s:.1f} s",
        limit=limit,
        retry_after_s=grant.retry_after_s,
        headers=headers,
    )
