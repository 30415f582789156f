"""The journal as a stream in Redis, and how a line of the spool gets there, exactly once.

An entry is a line: `segment` and `offset` say where in the spool it stood, `line` is the line. How far each segment has
come is kept beside the stream and moves with it, in one script: whatever is lost on the way, connection or process, the
next attempt asks how far it came. Everything bears one hash tag, so that a cluster keeps it together.

Needs Redis 6.2 or later.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from gateway.redis_keys import NAMESPACE, JournalKeys
from gateway.redis_secrets import without_secrets

from .store import StoreFailedError

__all__ = ["StreamFullError", "StreamStore", "redis_errors", "stream_client"]

_BATCH_BYTES = 256 << 10  # a script; Redis does nothing else meanwhile

# KEYS: stream, positions. ARGV: segment, offset of the first line, most records that may wait, lines
# Returns: the offset up to which lines are in the stream, records in it
_APPEND = """
local done = tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or '0')
local offset, most = tonumber(ARGV[2]), tonumber(ARGV[3])
local length = redis.call('XLEN', KEYS[1])
for i = 4, #ARGV do
  if offset >= done then
    if length >= most then break end
    redis.call('XADD', KEYS[1], '*', 'segment', ARGV[1], 'offset', offset, 'line', ARGV[i])
    length = length + 1
  end
  offset = offset + #ARGV[i] + 1
end
if offset > done then redis.call('HSET', KEYS[2], ARGV[1], offset) end
return {math.max(offset, done), length}
"""

_POSITION = "return {redis.call('HGET', KEYS[2], ARGV[1]) or '0', redis.call('XLEN', KEYS[1])}"


class StreamFullError(StoreFailedError):
    """As many records wait to be collected as may."""

    def __init__(self, *, most: int) -> None:
        super().__init__(
            f"{most} records wait in Redis that no group has collected; run `paretogate journal collect --watch`, or"
            " raise journal.stream_max_records"
        )
        self.most = most


class StreamStore:
    """A `Store` in Redis; of errors it raises `StoreFailedError` alone."""

    exists = True
    waiting: int | None = None

    def __init__(
        self,
        url: str,
        *,
        cluster: bool = False,
        most_records: int,
        timeout_s: float = 5.0,
        namespace: str = NAMESPACE,
    ) -> None:
        """Connects when it is first asked; `namespace` begins every key."""
        self._url, self._most = url, most_records
        keys = JournalKeys(namespace)
        self._stream, self._positions = keys.records, keys.positions
        with redis_errors(url):
            self._client = stream_client(url, cluster=cluster, timeout_s=timeout_s)

    def take(self, segment: str, offset: int, lines: Sequence[bytes]) -> int:
        """See `Store.take`; a script for each quarter of a megabyte, each of which happens whole or not at all."""
        reached = offset
        for batch in _batches(lines):
            with redis_errors(self._url):
                reached, self.waiting = self._client.eval(
                    _APPEND, 2, self._stream, self._positions, segment, offset, self._most, *batch
                )
            offset += sum(map(len, batch)) + len(batch)
            if reached < offset:
                raise StreamFullError(most=self._most)
        return max(reached, offset)

    def note_damage(self, segment: str, offset: int, line: bytes, problem: str) -> None:  # noqa: ARG002
        """See `Store.note_damage`: whoever collects it finds that it is no record, and keeps it apart."""
        self.take(segment, offset, [line])

    def position(self, segment: str) -> int:
        """See `Store.position`."""
        with redis_errors(self._url):
            reached, self.waiting = self._client.eval(_POSITION, 2, self._stream, self._positions, segment)
        return int(reached)

    def forget_segment(self, segment: str) -> None:
        """See `Store.forget_segment`."""
        with redis_errors(self._url):
            self._client.hdel(self._positions, segment)

    def forget_before(self, time: float) -> int:  # noqa: ARG002
        """Nothing: what nobody has collected is never too old; those who collect forget it."""
        return 0

    def close(self) -> None:
        """See `Store.close`."""
        with redis_errors(self._url):
            self._client.close()


def stream_client(url: str, *, cluster: bool, timeout_s: float) -> Any:  # noqa: ANN401 - redis's own types
    """A client that waits no longer than this and repeats nothing by itself."""
    from redis import Redis, RedisCluster  # noqa: PLC0415 - twenty megabytes, for those who name a Redis
    from redis.backoff import NoBackoff  # noqa: PLC0415
    from redis.retry import Retry  # noqa: PLC0415

    waiting: dict[str, Any] = {
        "socket_connect_timeout": timeout_s,
        "socket_timeout": timeout_s,
        "retry": Retry(NoBackoff(), 0),
    }
    return RedisCluster.from_url(url, **waiting) if cluster else Redis.from_url(url, **waiting)


@contextmanager
def redis_errors(url: str) -> Iterator[None]:
    """Failures of Redis as ours, without the secrets of its address.

    Raises:
        StoreFailedError: with nothing behind it, since servers quote what they were sent.
    """
    from redis.exceptions import MovedError, RedisClusterException, RedisError  # noqa: PLC0415 - as above

    try:
        yield
    except MovedError:
        problem = "the address is one node of a Redis Cluster, and the journal lies on another; set journal.cluster"
        raise StoreFailedError(problem) from None
    except (RedisError, RedisClusterException, OSError, ValueError) as exc:
        raise StoreFailedError(without_secrets(f"{type(exc).__name__}: {exc}", url)) from None


def _batches(lines: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """Of at least one line, and no more bytes than one script takes."""
    start = size = 0
    for position, line in enumerate(lines):
        if position > start and size + len(line) > _BATCH_BYTES:
            yield lines[start:position]
            start, size = position, 0
        size += len(line)
    if lines:
        yield lines[start:]
