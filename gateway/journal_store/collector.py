"""Moves records from the stream in Redis into a SQLite file, each exactly once, by a consumer group.

A group is one file's: its name is bound to the file's identity. Entries are committed to the file first, then
acknowledged; those that were handed out and never acknowledged, to whichever consumer, are taken first of all, so that
the lines of a segment come in their order. What was committed already is known by its place in the spool, which the
file remembers in the same transaction, and so is what a Redis that lost its memory was sent again. Only what every
group has acknowledged is removed from the stream.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.redis_keys import NAMESPACE, JournalKeys

from .retention import Retention
from .segments import lock_file
from .sqlite import Run, SqliteStore
from .store import StoreFailedError
from .stream import redis_errors, stream_client

__all__ = ["Collector", "FileTakenError", "GroupTakenError"]

_BATCH = 500  # entries at once, some megabyte of ordinary ones
_BATCH_BYTES = 16 << 20  # at most; an entry has as many as somebody's prompt, where prompts are kept whole
_LONGEST_BLOCK_S = 1.0  # of one question; shorter than any answer may take
_MOST_OFFSET = 1 << 53  # bytes: no spool has so many, and every column holds them
_MOST_SEGMENT_CHARS = 512
_FORGOTTEN_AFTER_MS = 86_400_000  # consumers that hold nothing and did not come back

# KEYS: stream. ARGV: group, ids to acknowledge
# Returns: how many entries were removed, since every group has acknowledged them and all before
_ACKNOWLEDGE = """
for first = 2, #ARGV, 500 do
  redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, first, math.min(first + 499, #ARGV)))
end
local function parts(id)
  local ms, seq = string.match(id, '(%d+)-(%d+)')
  return tonumber(ms), tonumber(seq)
end
local least_ms, least_seq
for _, facts in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local told = {}
  for i = 1, #facts, 2 do told[facts[i]] = facts[i + 1] end
  local pending, ms, seq = redis.call('XPENDING', KEYS[1], told['name'])
  if pending[1] > 0 then
    ms, seq = parts(pending[2])
  else
    ms, seq = parts(told['last-delivered-id'])
    seq = seq + 1
  end
  if not least_ms or ms < least_ms or (ms == least_ms and seq < least_seq) then least_ms, least_seq = ms, seq end
end
if not least_ms then return 0 end
return redis.call('XTRIM', KEYS[1], 'MINID', string.format('%.0f-%.0f', least_ms, least_seq))
"""

# KEYS: stream. ARGV: group, id from which on entries that were handed out are meant, or '' for new ones, most entries,
#   most bytes
# Returns: how many of the next entries are no longer than that together; 1 where the first is longer itself
_FITTING = """
local entries, bytes = 0, 0
local function has_room_for(found)
  for i = 1, found[1] and #found[1][2] or 0 do bytes = bytes + #found[1][2][i] end
  return bytes <= tonumber(ARGV[4])
end
if ARGV[2] ~= '' then
  for _, pending in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], '+', ARGV[3])) do
    if not has_room_for(redis.call('XRANGE', KEYS[1], pending[1], pending[1])) then break end
    entries = entries + 1
  end
  return math.max(entries, 1)
end
local last = '0-0'
for _, facts in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local told = {}
  for i = 1, #facts, 2 do told[facts[i]] = facts[i + 1] end
  if told['name'] == ARGV[1] then last = told['last-delivered-id'] end
end
while entries < tonumber(ARGV[3]) do
  local found = redis.call('XRANGE', KEYS[1], '(' .. last, '+', 'COUNT', 1)
  if not found[1] or not has_room_for(found) then break end
  entries, last = entries + 1, found[1][1]
end
return math.max(entries, 1)
"""

# KEYS: stream. ARGV: group, consumer, milliseconds after which another that holds nothing is forgotten
_TIDY = """
for _, facts in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local told = {}
  for i = 1, #facts, 2 do told[facts[i]] = facts[i + 1] end
  if told['name'] ~= ARGV[2] and told['pending'] == 0 and told['idle'] > tonumber(ARGV[3]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], told['name'])
  end
end
"""


_Raw = tuple[bytes, dict[bytes, bytes]]  # an entry as Redis tells it


class GroupTakenError(StoreFailedError):
    """The group fills another file."""

    def __init__(self, *, group: str, path: Path) -> None:
        super().__init__(
            f"the consumer group {group} fills another file than {path}; name another group for a copy of its own"
            " (--group), or let this file go on where the other ended, if that is gone for good (--take-over)"
        )
        self.group, self.path = group, path


class FileTakenError(StoreFailedError):
    """Another process collects into the file."""

    def __init__(self, *, path: Path) -> None:
        super().__init__(
            f"another process, such as `paretogate refine --watch`, collects into {path}; leave it to that one, or name"
            " a file and a group of your own (--to, --group)"
        )
        self.path = path


@dataclass(frozen=True, slots=True)
class _Entry:
    id: bytes
    segment: str
    offset: int
    line: bytes


class Collector:
    """Used by one thread. Give it back by `close`.

    Every method may raise `StoreFailedError` or `sqlite3.Error`; then it is to be called again later, and nothing is
    lost or doubled.
    """

    def __init__(
        self,
        url: str,
        path: Path,
        *,
        group: str,
        consumer: str,
        clock: Callable[[], float],
        cluster: bool = False,
        take_over: bool = False,
        keep_days: float | None = None,
        timeout_s: float = 5.0,
        namespace: str = NAMESPACE,
        batch_bytes: int = _BATCH_BYTES,
        note: Callable[..., None] = lambda _event, **_facts: None,
    ) -> None:
        """Connects and opens when it first collects.

        Args:
            url: of Redis.
            path: the SQLite file, made where it is missing.
            group: the consumer group, of this file alone.
            consumer: this process's name in the group.
            clock: seconds since the epoch.
            cluster: `url` is any node of a cluster.
            take_over: the group filled another file, which is gone.
            keep_days: how long records are kept in the file.
            timeout_s: how long Redis may take.
            namespace: begins every key.
            batch_bytes: that are read at once; an entry that is longer comes alone.
            note: is told what an operator should know.
        """
        self.path, self.group, self.consumer = path, group, consumer
        self._url, self._cluster, self._timeout_s = url, cluster, timeout_s
        self._take_over, self._batch_bytes, self._note = take_over, batch_bytes, note
        keys = JournalKeys(namespace)
        self._stream, self._groups = keys.records, keys.groups
        self._retention = Retention(keep_days, clock=clock, note=note)
        self._client: Any = None
        self._store: SqliteStore | None = None
        self._lock_fd: int | None = None
        self._is_begun = False

    def collect(self, *, wait_s: float = 0.0) -> int:
        """Move what has come, and return how many records that was; without any, wait for some so long at most.

        Raises:
            GroupTakenError: the group fills another file.
            FileTakenError: another process collects into this file.
        """
        store = self._opened()
        try:
            with redis_errors(self._url):
                if self._client is None:
                    self._client = stream_client(self._url, cluster=self._cluster, timeout_s=self._timeout_s)
                moved = self._begin(store)
                moved += self._take(store, self._read(wait_s=0.0 if moved else min(wait_s, _LONGEST_BLOCK_S)))
        except BaseException:
            self._disconnect()
            raise
        self._retention.apply(store)
        return moved

    def collect_all(self) -> int:
        """Move everything that has come."""
        moved = 0
        while more := self.collect():
            moved += more
        return moved

    def close(self) -> None:
        """Let go of the file and of Redis."""
        self._disconnect()
        if self._store is not None:
            self._store.close()
            self._store = None
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None

    def _disconnect(self) -> None:
        """And begin anew next time: ask for what was handed out, and make a group that was lost."""
        self._is_begun = False
        if self._client is not None:
            with suppress(StoreFailedError), redis_errors(self._url):
                self._client.close()
            self._client = None

    def _opened(self) -> SqliteStore:
        if self._store is not None and not self._store.exists:
            self._store.close()
            self._store, self._is_begun = None, False
        if self._store is None:
            self._lock()
            self._store = SqliteStore(self.path, trusts_lines=False)  # others may write to a Redis, too
        return self._store

    def _lock(self) -> None:
        if self._lock_fd is not None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self._lock_fd = lock_file(self.path.with_name(f"{self.path.name}.collecting"))
        except BlockingIOError:
            raise FileTakenError(path=self.path) from None

    def _begin(self, store: SqliteStore) -> int:
        """Make sure of the group, and take what was handed out and never acknowledged; nothing where that is done."""
        from redis.exceptions import ResponseError  # noqa: PLC0415 - loaded with the client

        if self._is_begun:
            return 0
        identity = str(store.identity).encode()
        if self._take_over:
            self._client.hset(self._groups, self.group, identity)
            self._take_over = False
        self._client.hsetnx(self._groups, self.group, identity)
        if self._client.hget(self._groups, self.group) != identity:
            raise GroupTakenError(group=self.group, path=self.path)
        try:
            self._client.xgroup_create(self._stream, self.group, id="0", mkstream=True)
        except ResponseError as exc:
            if not str(exc).startswith("BUSYGROUP"):
                raise
        moved = self._take_abandoned(store)
        self._client.eval(_TIDY, 1, self._stream, self.group, self.consumer, _FORGOTTEN_AFTER_MS)
        self._acknowledge([])
        self._is_begun = True
        return moved

    def _take_abandoned(self, store: SqliteStore) -> int:
        """The file's lock is ours, so whoever was handed these out before is gone: they are claimed at once."""
        moved, start = 0, b"0-0"
        while True:
            count = self._fitting(start)
            claimed = self._client.xautoclaim(self._stream, self.group, self.consumer, 0, start, count=count)
            moved += self._take(store, [entry for entry in claimed[1] if entry[1]])
            removed = len(claimed[2]) if len(claimed) > 2 else self._give_up_removed(claimed[1])
            if removed:
                self._note("journal_records_removed_uncollected", entries=removed)
            start = claimed[0]
            if start == b"0-0":
                return moved

    def _give_up_removed(self, claimed: Sequence[tuple[bytes | None, object]]) -> int:
        """Acknowledge what somebody else removed before it was collected, as Redis does by itself since version 7."""
        if all(facts for _, facts in claimed):
            return 0
        ids = [told["message_id"] for told in self._client.xpending_range(self._stream, self.group, "-", "+", _BATCH)]
        gone = [name for name in ids if not self._client.xrange(self._stream, name, name)]
        self._acknowledge(gone)
        return len(gone)

    def _read(self, *, wait_s: float) -> list[_Raw]:
        block_ms = round(1e3 * wait_s) or None
        count = self._fitting()
        reply = self._client.xreadgroup(self.group, self.consumer, {self._stream: ">"}, count=count, block=block_ms)
        return [entry for entries in _lists(reply) for entry in entries]

    def _fitting(self, handed_out_from: bytes = b"") -> int:
        """How many of the next entries are asked for: of new ones, or of those that were handed out."""
        facts = (self.group, handed_out_from, _BATCH, self._batch_bytes)
        return int(self._client.eval(_FITTING, 1, self._stream, *facts))

    def _take(self, store: SqliteStore, told: Sequence[_Raw]) -> int:
        if not told:
            return 0
        entries = [entry for raw in told if (entry := _entry(*raw)) is not None]
        if len(entries) < len(told):  # kept, they would come first each time, and nothing behind them ever
            self._note("journal_entries_refused", entries=len(told) - len(entries), reason="no gateway wrote them")
        for gap in store.take_runs(_runs(entries)):
            self._note("journal_records_never_came", segment=gap.segment, bytes=gap.end - gap.start)
        self._acknowledge([name for name, _ in told])
        return len(told)

    def _acknowledge(self, ids: Sequence[bytes]) -> None:
        self._client.eval(_ACKNOWLEDGE, 1, self._stream, self.group, *ids)


def _lists(reply: Any) -> Sequence[Sequence[Any]]:  # noqa: ANN401 - as either version of Redis's protocol has it
    if isinstance(reply, dict):
        return [entries for lists in reply.values() for entries in lists]
    return [entries for _, entries in reply or ()]


def _entry(name: bytes, facts: dict[bytes, bytes]) -> _Entry | None:
    """None where it is no line of a spool."""
    try:
        entry = _Entry(name, facts[b"segment"].decode(), int(facts[b"offset"]), facts[b"line"])
    except (KeyError, ValueError):
        return None
    return entry if 0 <= entry.offset <= _MOST_OFFSET and len(entry.segment) <= _MOST_SEGMENT_CHARS else None


def _runs(entries: Sequence[_Entry]) -> list[Run]:
    """Entries in their order; those that follow one another in their segment, together."""
    runs: list[Run] = []
    lines: list[bytes] = []
    end: tuple[str, int] | None = None
    for entry in entries:
        if (entry.segment, entry.offset) != end:
            lines = []
            runs.append(Run(segment=entry.segment, offset=entry.offset, lines=lines))
        lines.append(entry.line)
        end = (entry.segment, entry.offset + len(entry.line) + 1)
    return runs
