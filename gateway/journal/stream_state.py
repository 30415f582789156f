"""How the journal's stream in Redis fares: what waits, for whom, and whether Redis would keep it."""

from dataclasses import dataclass
from typing import Any

from gateway.journal_store import StoreFailedError
from gateway.redis_keys import JournalKeys
from gateway.settings import Settings

from .errors import JournalUnavailableError

__all__ = ["GroupState", "StreamState", "read_stream_state"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupState:
    """A consumer group, which fills one file."""

    name: str
    consumers: int
    unacknowledged: int  # handed out, and not yet known to be in the file


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamState:
    """What Redis says."""

    version: tuple[int, ...]
    records: int  # that some group, or nobody at all, has yet to collect
    oldest_s: float | None  # how long the first of them has waited; None where none does
    groups: tuple[GroupState, ...]
    evicts: bool  # Redis deletes keys of ours when its memory is full
    persists: bool  # each write goes to an append-only file


def read_stream_state(settings: Settings, *, timeout_s: float = 5.0) -> StreamState:
    """Ask Redis.

    Raises:
        JournalUnavailableError: it cannot be asked.
    """
    from gateway.journal_store.stream import redis_errors, stream_client  # noqa: PLC0415 - it brings the client

    told = settings.journal
    url = told.stream_url or ""
    try:
        with redis_errors(url):
            client = stream_client(url, cluster=told.cluster, timeout_s=timeout_s)
            try:
                return _read(client, JournalKeys(settings.state.namespace).records, cluster=told.cluster)
            finally:
                client.close()
    except StoreFailedError as exc:
        raise JournalUnavailableError(problem=str(exc)) from None


def _read(client: Any, stream: str, *, cluster: bool) -> StreamState:  # noqa: ANN401 - redis's own types
    node = {"target_nodes": client.get_node_from_key(stream)} if cluster else {}
    info = client.info(**node)
    seconds, microseconds = client.time(**node)
    first = client.xrange(stream, count=1)
    groups = client.xinfo_groups(stream) if client.exists(stream) else ()
    return StreamState(
        version=tuple(int(part) for part in str(info["redis_version"]).split(".")[:3]),
        records=client.xlen(stream),
        oldest_s=seconds + microseconds / 1e6 - int(first[0][0].split(b"-")[0]) / 1e3 if first else None,
        groups=tuple(
            GroupState(
                name=told["name"].decode(), consumers=int(told["consumers"]), unacknowledged=int(told["pending"])
            )
            for told in groups
        ),
        evicts=str(info.get("maxmemory_policy", "")).startswith("allkeys"),
        persists=bool(info.get("aof_enabled", 1)),
    )
