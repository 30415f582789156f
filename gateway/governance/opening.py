"""The governor, as the operator has it: whether keys are required, and where limits and conversations are kept."""

from gateway.dispatch import Clocks
from gateway.keys import KeyRing
from gateway.settings import Settings
from gateway.settings.packages import need
from gateway.state import FileState, GuardedState, KeptState, MemoryState, RedisState, StateStore, spent_in
from gateway.telemetry import Telemetry

from .exposure import check_exposure, keys_required
from .governor import Governor

__all__ = ["open_governor"]

_LEASE_SLACK_S = 60.0  # a place is given back by itself, should a replica die, so long after its longest request


def open_governor(settings: Settings, *, keys: KeyRing, clocks: Clocks, telemetry: Telemetry) -> Governor:
    """Nothing is asked of its store yet.

    Raises:
        InvalidSettingsError: others could reach this gateway without a key, or a package is missing.
    """
    check_exposure(settings, has_keys=not keys.is_empty)
    if settings.privacy.mode != "off":
        need("phonenumbers", "stdnum", key="privacy.mode")
    return Governor(
        keys=keys,
        store=_open_store(settings, clocks, telemetry),
        required=keys_required(settings, has_keys=not keys.is_empty),
        clocks=clocks,
        telemetry=telemetry,
        lease_s=settings.server.request_timeout_s + _LEASE_SLACK_S,
        session_keep_s=settings.state.session_keep_s,
        privacy=settings.privacy.mode,
        phone_region=settings.privacy.phone_region,
    )


def _open_store(settings: Settings, clocks: Clocks, telemetry: Telemetry) -> StateStore:
    """In memory, in files of all workers, or in Redis."""
    url = settings.state.url.get_secret_value()
    in_memory = url.startswith("memory://")
    if in_memory and settings.server.workers == 1:
        return KeptState(settings.spent_path, clock=clocks.monotonic, elsewhere=spent_in(settings.limits_dir))
    shared: StateStore = FileState(settings.limits_dir, clock=clocks.wall)
    if not in_memory:
        need("redis", key="state.url")
        shared = RedisState.at(
            url,
            timeout_s=settings.state.timeout_ms / 1e3,
            cluster=settings.state.cluster,
            namespace=settings.state.namespace,
        )
    own = MemoryState(clock=clocks.monotonic)  # while the shared one is away
    return GuardedState(shared, own, clock=clocks.monotonic, watcher=telemetry)
