"""The Redis that keeps the journal, asked for what else the replicas share by it."""

from collections.abc import Callable
from typing import Any, TypeVar

from gateway.journal_store import StoreFailedError
from gateway.redis_keys import JournalKeys
from gateway.settings import Settings

from .errors import JournalUnavailableError

__all__ = ["JournalRedis"]

_T = TypeVar("_T")


class JournalRedis:
    """Used by one thread at a time; whoever was refused may ask again."""

    def __init__(self, settings: Settings, *, timeout_s: float = 5.0) -> None:
        """Connects when it is first asked. The journal of the settings is one in Redis."""
        told = settings.journal
        self.keys = JournalKeys(settings.state.namespace)
        self._url, self._cluster, self._timeout_s = told.stream_url or "", told.cluster, timeout_s
        self._client: Any = None

    def ask(self, act: Callable[[Any], _T]) -> _T:
        """What `act` gets out of a client.

        Raises:
            JournalUnavailableError: it could not be asked, told without the secrets of its address.
        """
        from gateway.journal_store.stream import redis_errors, stream_client  # noqa: PLC0415 - it brings the client

        try:
            with redis_errors(self._url):
                if self._client is None:
                    self._client = stream_client(self._url, cluster=self._cluster, timeout_s=self._timeout_s)
                return act(self._client)
        except StoreFailedError as exc:
            self._client = None
            raise JournalUnavailableError(problem=str(exc)) from None

    def close(self) -> None:
        """Let go of it."""
        if self._client is not None:
            self._client.close()
            self._client = None
