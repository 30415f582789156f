"""Where Responses are stored, by what the operator says."""

from collections.abc import Callable

from gateway.settings import Settings
from gateway.state.redis import redis_client

from .history import ResponseHistory
from .memory import MemoryResponses
from .protocol import Bounds, ResponseStore
from .redis import RedisResponses
from .sqlite import SqliteResponses

__all__ = ["open_history"]


def open_history(settings: Settings, *, wall: Callable[[], float], clock: Callable[[], float]) -> ResponseHistory:
    """Nothing is connected or opened before it is needed; `wall` is since the epoch, `clock` monotonic, in seconds."""
    told, most = settings.responses, settings.server.max_body_bytes
    bounds = Bounds(
        keep_s=told.keep_s,
        max_per_tenant=told.max_per_tenant,
        max_bytes=told.max_mb << 20,
        max_bytes_each=told.max_kb_each << 10,
    )
    return ResponseHistory(_store(settings, bounds, wall=wall, clock=clock), bounds, max_body_bytes=most)


def _store(
    settings: Settings, bounds: Bounds, *, wall: Callable[[], float], clock: Callable[[], float]
) -> ResponseStore | None:
    match _where(settings):
        case "memory":
            return MemoryResponses(bounds, clock=clock)
        case "sqlite":
            return SqliteResponses(settings.responses_path, bounds, wall=wall)
        case "redis":
            timeout_s = settings.state.timeout_ms / 1e3
            url = settings.state.url.get_secret_value()
            client = redis_client(url, timeout_s=timeout_s, cluster=settings.state.cluster)
            return RedisResponses(
                client,
                bounds,
                timeout_s=timeout_s,
                wall=wall,
                clock=clock,
                namespace=settings.state.namespace,
                url=url,
            )
        case _:
            return None


def _where(settings: Settings) -> str:
    """What `auto` means: what a worker keeps for itself, another could not find."""
    if settings.responses.store != "auto":
        return settings.responses.store
    if not settings.state.url.get_secret_value().startswith("memory://"):
        return "redis"
    return "memory" if settings.server.workers == 1 else "off"
