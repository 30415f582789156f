"""From the stream in Redis into the file that everything else reads: what `journal collect` and `refine` do."""

import platform
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.journal_store import StoreFailedError
from gateway.settings import InvalidSettingsError, Settings

from .errors import JournalUnavailableError

if TYPE_CHECKING:
    from gateway.journal_store.collector import Collector

__all__ = ["GROUP", "Collecting", "collecting"]

GROUP = "paretogate"  # the consumer group of whoever says no other


class Collecting:
    """A collector whose failures are told as the gateway's, without secrets."""

    def __init__(self, collector: "Collector", *, patient: bool = False) -> None:
        """Where `patient`, a file that another process collects into is left to it."""
        self._collector, self._patient = collector, patient

    def all(self) -> int:
        """Move everything that has come; returns how many records that was.

        Raises:
            JournalUnavailableError: Redis or the file cannot be used now, or by us.
        """
        return self._told(self._collector.collect_all)

    def some(self, *, wait_s: float) -> int:
        """Move what has come, or comes within so many seconds, as far as one question goes; raises as `all`."""
        return self._told(lambda: self._collector.collect(wait_s=wait_s))

    def _told(self, act: Callable[[], int]) -> int:
        from gateway.journal_store.collector import FileTakenError, GroupTakenError  # noqa: PLC0415 - as below

        try:
            return act()
        except StoreFailedError as exc:
            if self._patient and isinstance(exc, FileTakenError):
                return 0
            raise JournalUnavailableError(problem=str(exc), for_good=isinstance(exc, GroupTakenError)) from None
        except (sqlite3.Error, OSError) as exc:
            raise JournalUnavailableError(problem=f"{self._collector.path}: {exc}") from exc


@contextmanager
def collecting(
    settings: Settings,
    *,
    path: Path | None = None,
    group: str = GROUP,
    consumer: str | None = None,
    take_over: bool = False,
    patient: bool = False,
    note: Callable[..., None],
) -> Iterator[Collecting]:
    """From the journal's stream into the journal's file, or another one.

    Raises:
        InvalidSettingsError: there is no Redis to collect from.
    """
    from gateway.journal_store.collector import Collector  # noqa: PLC0415 - it brings the client of Redis

    url = settings.journal.stream_url
    if url is None:
        raise InvalidSettingsError(
            "journal.url: names no Redis to collect from; set it (PARETOGATE_JOURNAL__URL), or say --from redis://HOST"
        )
    collector = Collector(
        url,
        path or settings.journal_path,
        group=group,
        consumer=consumer or platform.node() or "collector",
        clock=time.time,
        cluster=settings.journal.cluster,
        take_over=take_over,
        keep_days=settings.journal.keep_days,
        namespace=settings.state.namespace,
        note=note,
    )
    with closing(collector):
        yield Collecting(collector, patient=patient)
