"""The journal that replicas share: a stream in Redis, from which collectors fill files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Unpack

import structlog

from gateway.redis_keys import NAMESPACE

from .spooled import SpooledJournal, Spooling

__all__ = ["RedisJournal"]

log = structlog.get_logger(__name__)

_WORTH_A_WARNING, _WELL_AGAIN = 0.5, 0.25  # of the records that may wait


class RedisJournal(SpooledJournal):
    """Keeps records in a stream until they are collected, with the spool in a folder of this replica."""

    def __init__(
        self,
        root: Path,
        url: str,
        *,
        cluster: bool = False,
        most_records: int = 1_000_000,
        timeout_s: float = 5.0,
        namespace: str = NAMESPACE,
        **spooling: Unpack[Spooling],
    ) -> None:
        """`root` is the spools'; `most_records` may wait in Redis, and more wait in the spools.

        `namespace` begins every key.
        """
        self._most, self._has_warned = most_records, False
        store = {
            "url": url,
            "cluster": cluster,
            "most_records": most_records,
            "timeout_s": timeout_s,
            "namespace": namespace,
        }
        super().__init__(root, store, **spooling)
        self._health.stream_limit = most_records

    def _hear(self, said: Mapping[str, Any]) -> None:
        super()._hear(said)
        share = (self._health.stream_records or 0) / self._most
        if share > _WORTH_A_WARNING and not self._has_warned:
            self._has_warned = True
            log.warning("journal_is_not_collected", records=self._health.stream_records, limit=self._most)
        elif share < _WELL_AGAIN:
            self._has_warned = False
