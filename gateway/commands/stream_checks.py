"""What `paretogate doctor` asks the Redis that keeps the journal."""

from collections.abc import Iterator

from gateway.journal import JournalUnavailableError
from gateway.journal.stream_state import StreamState, read_stream_state
from gateway.settings import Settings

from .check import Check

__all__ = ["stream_checks"]

_SUBJECT = "journal stream"
_NEEDED = (6, 2)
_LONG_S = 3_600.0
_COLLECT = "run `paretogate journal collect --watch`, or `paretogate refine --watch`, somewhere"


def stream_checks(settings: Settings) -> Iterator[Check]:
    """Whether Redis can be asked, what waits there, and whether it would keep that."""
    try:
        state = read_stream_state(settings)
    except JournalUnavailableError as exc:
        remedy = "mend journal.url (PARETOGATE_JOURNAL__URL); until Redis answers, records wait in each replica's spool"
        yield Check(subject=_SUBJECT, verdict="note", detail=exc.problem, remedy=remedy)
        return
    if state.version < _NEEDED:
        detail = f"Redis {_dotted(state.version)} is too old"
        yield Check(subject=_SUBJECT, verdict="broken", detail=detail, remedy="upgrade it to 6.2 or later")
        return
    yield Check(subject=_SUBJECT, verdict="ok", detail=_told(state, settings))
    if (check := _collected(state, settings)) is not None:
        yield check
    if state.evicts:
        yield Check(
            subject=_SUBJECT,
            verdict="note",
            detail="when its memory is full, this Redis deletes records (maxmemory-policy)",
            remedy="set maxmemory-policy to noeviction: it then refuses new records, which wait in the spool",
        )
    if not state.persists:
        yield Check(
            subject=_SUBJECT,
            verdict="note",
            detail="a restart of this Redis loses records that nobody has collected (appendonly no)",
            remedy="set appendonly yes; appendfsync always where a crash may not cost the last second either",
        )


def _told(state: StreamState, settings: Settings) -> str:
    groups = ", ".join(
        f"{group.name} (consumers: {group.consumers}, not acknowledged: {group.unacknowledged})"
        for group in state.groups
    )
    oldest = "" if state.oldest_s is None else f", the oldest for {_duration(state.oldest_s)}"
    waiting = f"{state.records:,} of {settings.journal.stream_max_records:,} records wait{oldest}"
    return (
        f"Redis {_dotted(state.version)} at {settings.journal.shown_stream}, keys {settings.state.namespace}:*;"
        f" {waiting}; groups: {groups or 'none'}"
    )


def _collected(state: StreamState, settings: Settings) -> Check | None:
    """A note where records come and nobody takes them away, or not fast enough."""
    if state.records and not state.groups:
        return Check(subject=_SUBJECT, verdict="note", detail="nobody collects", remedy=_COLLECT)
    if state.records > settings.journal.stream_max_records / 2 or (state.oldest_s or 0.0) > _LONG_S:
        detail = "records wait for long: a group's collector is down, or slower than they come"
        remedy = f"{_COLLECT}; delete a group that nobody needs any more (XGROUP DESTROY)"
        return Check(subject=_SUBJECT, verdict="note", detail=detail, remedy=remedy)
    return None


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)


def _duration(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
