"""Shared state of many replicas, in Redis or a Redis Cluster: per call one script, hence one atomic round trip.

In a cluster everything of one holder lies on one shard, since a script sees no other: its keys carry the holder's name
as their hash tag. Shards are found, and followed when they move, by the client.
"""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self, get_args

import orjson

from gateway.redis_keys import NAMESPACE
from gateway.redis_secrets import without_secrets
from router import SessionState

from .protocol import (
    Claim,
    Grant,
    LimitName,
    Settlement,
    StateUnavailableError,
    from_nano_usd,
    periods,
    to_nano_usd,
)
from .scripts import RESERVE, SETTLE

__all__ = ["RedisState", "redis_client"]

_KEEP_SPENT_S = 40 * 86_400  # longer than any month
_BEYOND = 1e18  # a billion dollars in billionths, and more seconds and tokens than anybody has
_FACTS = frozenset(fact.name for fact in fields(SessionState))
_LIMITS: dict[bytes, LimitName] = {name.encode(): name for name in get_args(LimitName)}


class RedisState:
    """A `StateStore` in Redis 6 or later, over TLS (`rediss://`) or not.

    Every failure, and every answer that takes longer than `timeout_s`, is a `StateUnavailableError`.
    """

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - redis.asyncio.Redis or RedisCluster, imported only where one is configured
        *,
        timeout_s: float = 0.1,
        namespace: str = NAMESPACE,
        clock: Callable[[], float] | None = None,
        url: str = "",
    ) -> None:
        """`namespace` begins every key; `clock` replaces Redis's own, in seconds, for tests.

        Failures are told without the secrets of `url`.
        """
        self._client, self._timeout_s, self._namespace, self._clock = client, timeout_s, namespace, clock
        self._url = url
        self._reserve, self._settle = _Script(text=RESERVE), _Script(text=SETTLE)

    @classmethod
    def at(cls, url: str, *, timeout_s: float = 0.1, cluster: bool = False, namespace: str = NAMESPACE) -> Self:
        """At `redis://`, `rediss://` or `unix://`, or at any node of a cluster; connects when it is first asked."""
        client = redis_client(url, timeout_s=timeout_s, cluster=cluster)
        return cls(client, timeout_s=timeout_s, namespace=namespace, url=url)

    async def reserve(self, claim: Claim) -> Grant:
        """Take everything that is claimed, or nothing."""
        quota, (day, month) = claim.quota, periods(claim.wall_s)
        keys = [
            self._key(claim.holder, "requests"),
            self._key(claim.holder, "tokens"),
            self._key(claim.holder, "leases"),
            self._key(claim.holder, f"usd:{day}"),
            self._key(claim.holder, f"usd:{month}"),
            self._key(claim.holder, f"session:{claim.session_id or ''}"),
        ]
        arguments = [
            self._now(),
            _number(quota.requests_per_minute),
            claim.requests,
            _number(quota.tokens_per_minute),
            claim.tokens,
            _number(quota.max_concurrency),
            claim.lease_id or "",
            claim.lease_s,
            _nano(quota.budget_usd_per_day),
            _nano(quota.budget_usd_per_month),
            to_nano_usd(claim.cost_usd),
            _KEEP_SPENT_S,
        ]
        try:
            return _grant(await self._run(self._reserve, keys, arguments))
        except ValueError as exc:
            problem = f"what is kept of {claim.holder} was not written by a gateway ({exc}); delete its keys"
            raise StateUnavailableError(problem) from None

    async def settle(self, settlement: Settlement) -> None:
        """Correct what was claimed, give the place back, remember the conversation."""
        day, month = periods(settlement.wall_s)
        kept = settlement.remember
        keys = [
            self._key(settlement.holder, "tokens"),
            self._key(settlement.holder, "leases"),
            self._key(settlement.holder, f"usd:{day}"),
            self._key(settlement.holder, f"usd:{month}"),
            self._key(settlement.holder, f"session:{kept.session_id if kept else ''}"),
        ]
        arguments = [
            self._now(),
            _number(settlement.quota.tokens_per_minute),
            settlement.tokens_more,
            settlement.lease_id or "",
            to_nano_usd(settlement.cost_usd_more),
            _KEEP_SPENT_S,
            orjson.dumps(asdict(kept.state)) if kept else "",
            max(1, round(1e3 * kept.keep_s)) if kept else "",
        ]
        await self._run(self._settle, keys, arguments)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _key(self, holder: str, what: str) -> str:
        return f"{self._namespace}:{{{holder}}}:{what}"

    def _now(self) -> str:
        return "" if self._clock is None else repr(self._clock())

    async def _run(self, script: "_Script", keys: list[str], arguments: list[Any]) -> Any:  # noqa: ANN401 - redis's own
        from redis.exceptions import MovedError, NoScriptError, RedisError  # noqa: PLC0415 - loaded with the client

        try:
            async with asyncio.timeout(self._timeout_s):
                await self._client.initialize()  # at once, where it has been: a cluster's client asks anybody before
                try:
                    return await self._client.evalsha(script.digest, len(keys), *keys, *arguments)
                except NoScriptError:  # the text goes to this shard alone, so that another's failure is not ours
                    return await self._client.eval(script.text, len(keys), *keys, *arguments)
        except MovedError as exc:
            raise StateUnavailableError(
                "state.url is one node of a Redis Cluster, and the keys live on another; set state.cluster = true"
            ) from exc
        except TimeoutError:  # which says nothing by itself
            why = ", as where no TLS is spoken" if self._url.startswith("rediss:") else ""
            raise StateUnavailableError(f"no answer within {self._timeout_s:g} s{why}") from None
        except (OSError, RedisError, AttributeError) as exc:
            # AttributeError: where a cluster is down, its client closes connections that others are using
            raise StateUnavailableError(without_secrets(f"{type(exc).__name__}: {exc}", self._url)) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Script:
    """Its text, and the name under which Redis knows it once it has seen it."""

    text: str
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest())


def redis_client(url: str, *, timeout_s: float, cluster: bool) -> Any:  # noqa: ANN401 - redis's own types
    """A client that waits no longer than this and repeats nothing by itself: it may have happened already."""
    from redis.asyncio import Redis, RedisCluster  # noqa: PLC0415 - only where it is configured
    from redis.asyncio.retry import Retry  # noqa: PLC0415
    from redis.backoff import NoBackoff  # noqa: PLC0415

    waiting: dict[str, Any] = {
        "socket_connect_timeout": timeout_s,
        "socket_timeout": timeout_s,
        "retry": Retry(NoBackoff(), 0),
    }
    if not cluster:
        return Redis.from_url(url, **waiting)
    # With steps, every fifth redirect would close all connections, and with them what others are asking.
    return RedisCluster.from_url(url, reinitialize_steps=0, **waiting)


def _grant(reply: list[bytes]) -> Grant:
    refused, retry, requests_left, requests_reset, tokens_left, tokens_reset, usd_left, session, scarcest, share = reply
    return Grant(
        refused_by=_LIMITS.get(refused),
        retry_after_s=_sane(retry),
        requests_left=_whole(requests_left),
        tokens_left=_whole(tokens_left),
        requests_reset_s=_sane(requests_reset) or 0.0,
        tokens_reset_s=_sane(tokens_reset) or 0.0,
        usd_left=None if (nano := _sane(usd_left)) is None else from_nano_usd(nano),
        session=_session(session) if session else None,
        scarcest=_LIMITS.get(scarcest),
        scarcest_share=_sane(share) or 0.0,
    )


def _sane(told: bytes) -> float | None:
    """A number that can be told; None where there is none.

    Raises:
        ValueError: it is none that follows from what gateways write.
    """
    if not told:
        return None
    value = float(told)
    if not abs(value) < _BEYOND:  # as is what is no number
        raise ValueError(f"{value:g}")
    return value


def _whole(told: bytes) -> int | None:
    value = _sane(told)
    return None if value is None else int(value)


def _session(kept: bytes) -> SessionState | None:
    """What is known of it, whichever version of this program kept it; None where that is not enough.

    JSON has lists where we have tuples.
    """
    try:
        facts: dict[str, Any] = orjson.loads(kept)
        facts = {
            name: tuple(told) if isinstance(told, list) else told for name, told in facts.items() if name in _FACTS
        }
        session = SessionState(**facts)
    except (orjson.JSONDecodeError, AttributeError, TypeError):
        return None
    return session if _is_whole(session) else None


def _is_whole(session: SessionState) -> bool:
    """Whether each fact is of its kind, whoever wrote it."""
    return (
        isinstance(session.backend_id, str)
        and isinstance(session.cached_tokens, int)
        and 0 <= session.cached_tokens < _BEYOND
        and isinstance(session.pinned, bool)
        and isinstance(session.tools, tuple)
        and all(isinstance(name, str) for name in session.tools)
    )


def _number(value: int | None) -> int | str:
    return "" if value is None else value


def _nano(usd: float | None) -> int | str:
    return "" if usd is None else to_nano_usd(usd)
