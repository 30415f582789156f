"""Whether the Redis that replicas share for limits can be used: asked at the start, and by `paretogate doctor`."""

import time
from importlib.util import find_spec

from gateway.settings import StateSettings
from gateway.startup import Finding
from gateway.state import Claim, Quota, RedisState, StateUnavailableError

__all__ = ["NO_SHARED_STATE", "shared_state_findings", "why_no_shared_state"]

NO_SHARED_STATE = "mend state.url; until Redis answers, limits hold per replica, and no Response is stored there"
_PATIENCE_S = 2.0  # a start waits for it


async def why_no_shared_state(settings: StateSettings, *, timeout_s: float) -> str | None:
    """What hinders it; None where it can be used.

    Asked what every request asks, so that a Redis that answers but takes no scripts is found, too.
    """
    url = settings.url.get_secret_value()
    state = RedisState.at(url, timeout_s=timeout_s, cluster=settings.cluster, namespace=settings.namespace)
    try:
        await state.reserve(Claim(holder="doctor", quota=Quota(), wall_s=time.time()))
    except StateUnavailableError as exc:
        return str(exc)
    finally:
        await state.close()
    return None


async def shared_state_findings(settings: StateSettings) -> tuple[Finding, ...]:
    """A warning where a Redis is configured and cannot be used, which else the first request would tell."""
    if settings.url.get_secret_value().startswith("memory://") or find_spec("redis") is None:
        return ()
    if (problem := await why_no_shared_state(settings, timeout_s=_PATIENCE_S)) is None:
        return ()
    told = f"Redis cannot be used: {problem}; {NO_SHARED_STATE}"
    return (Finding(subject="state.url", joined=True, detail=told, warning=True),)
